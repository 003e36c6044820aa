/** The bars: by how much distilserve has to be ahead of the best rival, cell by cell. */
import type { RaceDtype } from './geometry.js';

export const CELLS = ['W1', 'W2', 'W3', 'W4'] as const;
export type Cell = (typeof CELLS)[number];
export type BarredModel = 'mini' | 'base';

/** W1 and W4 are times, the less the better; W2 and W3 are rates. */
export function isTime(cell: Cell): boolean {
  return cell === 'W1' || cell === 'W4';
}

type Factors = Readonly<Record<Cell, number>>;

/** Ours over the best rival's: at most for times, at least for rates. */
export const BARS: Readonly<Record<RaceDtype, Readonly<Record<BarredModel, Factors>>>> = {
  float32: { mini: { W1: 0.6, W2: 2, W3: 3.5, W4: 0.6 }, base: { W1: 0.75, W2: 1.6, W3: 2.5, W4: 1 } },
  int8: { mini: { W1: 0.5, W2: 1.8, W3: 4, W4: 0.6 }, base: { W1: 0.7, W2: 1.5, W3: 3, W4: 0.7 } },
  bfloat16: { mini: { W1: 0.3, W2: 5, W3: 3, W4: 0.2 }, base: { W1: 0.5, W2: 3, W3: 2.5, W4: 0.4 } },
};
/** No more than so many times the machine's own limit is a pass too. */
export const FLOOR_FACTOR = 1.25;

export interface CellFigures {
  readonly ours: number | undefined;
  readonly rivals: readonly { readonly name: string; readonly value: number }[];
  /** The least time, or the highest rate, that the machine allows. */
  readonly limit: number | undefined;
}

export interface CellVerdict {
  readonly outcome: 'PASS' | 'FAIL' | '-';
  readonly best: { readonly name: string; readonly value: number } | undefined;
  /** Ours over the best rival's. */
  readonly ratio: number | undefined;
  readonly why: string;
}

export function judgeCell(cell: Cell, bar: number, { ours, rivals, limit }: CellFigures): CellVerdict {
  const time = isTime(cell);
  const [best] = [...rivals].sort((a, b) => (time ? a.value - b.value : b.value - a.value));
  const ratio = ours === undefined || best === undefined ? undefined : ours / best.value;
  if (ours === undefined) return { outcome: '-', best, ratio, why: 'ours has no figure' };
  if (ratio !== undefined && (time ? ratio <= bar : ratio >= bar)) return { outcome: 'PASS', best, ratio, why: 'bar' };
  if (limit !== undefined && (time ? ours <= FLOOR_FACTOR * limit : ours >= limit / FLOOR_FACTOR)) {
    return { outcome: 'PASS', best, ratio, why: `within ${FLOOR_FACTOR}x of the floor` };
  }
  if (best === undefined) return { outcome: '-', best, ratio, why: 'no rival has a figure' };
  return { outcome: 'FAIL', best, ratio, why: limit === undefined ? 'bar missed, no floor known' : 'bar missed' };
}

/** Fewer than every rival's; none is passed by none only. */
export function judgeFlips(ours: number | undefined, rivals: readonly number[]): CellVerdict['outcome'] {
  if (ours === undefined || rivals.length === 0) return '-';
  const fewest = Math.min(...rivals);
  return ours < fewest || (ours === 0 && fewest === 0) ? 'PASS' : 'FAIL';
}
