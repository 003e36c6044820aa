/** The race's tables: every row's figures, the cells against their bars and floors, and the flips. */
import { table } from '../statistics.js';
import { BARS, type BarredModel, CELLS, type Cell, type CellVerdict, isTime, judgeCell, judgeFlips } from './bars.js';
import { floorMs, type Limits, type TextLengths } from './floors.js';
import type { Geometry, RaceDtype } from './geometry.js';
import type { RowFigures } from './measure-row.js';
import { medianOf, type RowRecord } from './race.js';
import { ROWS_PER_BATCH } from './requests.js';
import type { RaceModel } from './setup.js';

export interface RowResult {
  readonly name: string;
  readonly model: RaceModel;
  readonly dtype: RaceDtype;
  readonly ours: boolean;
  /** Medians of the rounds. */
  readonly figures: RowFigures | undefined;
  readonly failed: string | undefined;
}

export interface CellResult extends CellVerdict {
  readonly model: BarredModel;
  readonly dtype: RaceDtype;
  readonly cell: Cell;
  readonly ours: number | undefined;
  readonly bar: number;
  /** In the cell's own unit. */
  readonly limit: number | undefined;
}

const HEADER = [
  ...['', 'model', 'dtype', 'W1 p50 ms', 'p95', 'p99', 'W2 req/s', 'p95 ms', 'W3 texts/s', 'W4 p50 ms'],
  ...['ready s', 'RSS MiB', 'max diff', 'flips', 'others %'],
];

export function resultOf({ row: { competitor, model }, rounds, failed }: RowRecord): RowResult {
  const { name, dtype, ours } = competitor;
  const figures = failed === undefined && rounds.length > 0 ? medianOf(rounds) : undefined;
  return { name, model, dtype, ours, figures, failed };
}

/** A row's last round in a line. */
export function summary({ rounds, failed }: RowRecord): string {
  if (failed !== undefined) return `no figures: ${failed}`;
  const { w1, w2, w3, w4, agreement } = rounds.at(-1)!;
  const parts = [
    w1 && `W1 ${show(w1.p50Ms)} ms, W2 ${show(w2?.requestsPerSecond)} req/s`,
    w3 && `W3 ${show(w3.textsPerSecond)} texts/s, W4 ${show(w4?.p50Ms)} ms`,
    agreement && `largest difference ${agreement.largest.toExponential(1)}, ${agreement.flips} flips`,
  ];
  return parts.filter((part) => part !== undefined).join(', ') || 'ready';
}

export function figuresTable(results: readonly RowResult[]): string {
  const rows = results.map(({ name, model, dtype, figures }) => {
    const { w1, w2, w3, w4, readySeconds, residentMiB, agreement, others } = figures ?? {};
    return [
      ...[name, model, dtype, show(w1?.p50Ms), show(w1?.p95Ms), show(w1?.p99Ms)],
      ...[show(w2?.requestsPerSecond), show(w2?.p95Ms), show(w3?.textsPerSecond), show(w4?.p50Ms)],
      ...[show(readySeconds), show(residentMiB), agreement?.largest.toExponential(1) ?? '-'],
      ...[agreement ? `${agreement.flips}/${agreement.texts}` : '-', others === undefined ? '-' : show(100 * others)],
    ];
  });
  const failed = results.filter((one) => one.failed !== undefined);
  const reasons = failed.map(({ name, model, dtype, failed }) => `- ${name}, ${model}, ${dtype}: ${failed}`);
  return [table([HEADER, ...rows], 3), ...reasons].join('\n');
}

/** Every cell that has a bar and a row of ours. */
export function judgeCells(
  results: readonly RowResult[],
  geometries: ReadonlyMap<RaceModel, Geometry>,
  limits: Limits,
  lengths: TextLengths,
): CellResult[] {
  return results.flatMap((own) => {
    const { model, dtype, ours } = own;
    if (!ours || model === 'trained') return [];
    const others = results.filter((one) => !one.ours && one.model === model && one.dtype === dtype);
    return CELLS.map((cell) => {
      const value = figureOf(own, cell);
      const bar = BARS[dtype][model][cell];
      const floor = floorMs(cell, geometries.get(model)!, dtype, limits, lengths);
      const limit = floor === undefined ? undefined : inUnitOf(cell, floor);
      const rivals = others.flatMap((one) => {
        const figure = figureOf(one, cell);
        return figure === undefined ? [] : [{ name: one.name, value: figure }];
      });
      return { model, dtype, cell, bar, limit, ours: value, ...judgeCell(cell, bar, { ours: value, rivals, limit }) };
    });
  });
}

export function cellsTable(cells: readonly CellResult[]): string {
  const header = ['', 'why', 'best rival', 'model', 'dtype', 'cell', 'ours', 'rival', 'ratio', 'bar', 'floor'];
  const rows = cells.map(({ outcome, why, best, model, dtype, cell, ours, ratio, bar, limit }) => [
    ...[outcome, why, best?.name ?? '-', model, dtype, cell, show(ours), show(best?.value), show(ratio)],
    ...[`${isTime(cell) ? '<=' : '>='} ${bar}`, show(limit)],
  ]);
  return table([header, ...rows], 6);
}

/** Ours against every int8 rival, on each model. */
export function flipsTable(results: readonly RowResult[]): string {
  const header = ['', 'model', 'int8 flips of ours', 'of the rivals'];
  const rows = results.flatMap(({ ours, dtype, model, figures }) => {
    if (!ours || dtype !== 'int8') return [];
    const rivals = results.flatMap((one) =>
      !one.ours && one.dtype === 'int8' && one.model === model && one.figures?.agreement
        ? [one.figures.agreement.flips]
        : [],
    );
    const own = figures?.agreement?.flips;
    return [[judgeFlips(own, rivals), model, own?.toString() ?? '-', rivals.join(', ') || '-']];
  });
  return table([header, ...rows], 2);
}

export function limitsTable({ readGBps, gops, bareSingleMs, bareBatchMs }: Limits): string {
  const reading = Object.entries(readGBps).map(
    ([bytes, rate]) => `${(Number(bytes) / 1e6).toFixed(1)} MB ${show(rate)}`,
  );
  const products = Object.entries(gops).map(([dtype, rate]) => `${dtype} ${rate === null ? '-' : show(rate)}`);
  return table(
    [
      ['reading, GB/s', reading.join(', ')],
      ['products, Gop/s', products.join(', ')],
      ['bare Koa and Piscina, p50 ms', `one text ${show(bareSingleMs)}, ${ROWS_PER_BATCH} texts ${show(bareBatchMs)}`],
    ],
    2,
  );
}

function figureOf({ figures }: RowResult, cell: Cell): number | undefined {
  if (figures === undefined) return undefined;
  const { w1, w2, w3, w4 } = figures;
  return { W1: w1?.p50Ms, W2: w2?.requestsPerSecond, W3: w3?.textsPerSecond, W4: w4?.p50Ms }[cell];
}

function inUnitOf(cell: Cell, ms: number): number {
  if (isTime(cell)) return ms;
  return ((cell === 'W3' ? ROWS_PER_BATCH : 1) * 1000) / ms;
}

/** Three digits that mean something. */
function show(value: number | undefined): string {
  if (value === undefined) return '-';
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
