import { percentile } from '../statistics.js';
import type { Cell } from './bars.js';
import { type Geometry, operations, type RaceDtype, weightBytes } from './geometry.js';
import { countTokens, type RaceTexts, ROWS_PER_BATCH } from './requests.js';

/** What the machine can do at most, measured in the same run. */
export interface Limits {
  /** By bytes read again and again. */
  readonly readGBps: Readonly<Record<string, number>>;
  /** 1e9 multiplications and additions a second; null where nothing multiplies in it. */
  readonly gops: Readonly<Record<RaceDtype, number | null>>;
  /** p50 of a bare Koa server with one Piscina task, asked for one text. */
  readonly bareSingleMs: number;
  /** The same, asked for a batch. */
  readonly bareBatchMs: number;
}

export interface TextLengths {
  readonly short: number;
  readonly singles: readonly number[];
  /** Of all batches together. */
  readonly batches: readonly number[];
}

export function textLengths(texts: RaceTexts): TextLengths {
  return {
    short: countTokens(texts.short[0]),
    singles: texts.singles.map(countTokens),
    batches: texts.batches.flat().map(countTokens),
  };
}

/**
 * The least time of one request in ms, in W2 and W3 when all cores are at it: the larger of reading the weights and the
 * arithmetic, and the HTTP around it. Concurrent singles may share one reading of the weights.
 *
 * @returns undefined where the machine's limit in this dtype is not known
 */
export function floorMs(
  cell: Cell,
  geometry: Geometry,
  dtype: RaceDtype,
  limits: Limits,
  lengths: TextLengths,
): number | undefined {
  const bytes = weightBytes(geometry, dtype);
  const [readGBps, gops] = [limits.readGBps[String(bytes)], limits.gops[dtype]];
  if (readGBps === undefined || gops === null) return undefined;
  const readMs = bytes / readGBps / 1e6;
  const computeMs = (tokens: number): number => operations(geometry, tokens) / gops / 1e6;
  const meanMs = (all: readonly number[]): number =>
    all.reduce((sum, tokens) => sum + computeMs(tokens), 0) / all.length;
  switch (cell) {
    case 'W1': {
      const median = percentile(
        [...lengths.singles].sort((a, b) => a - b),
        0.5,
      );
      return Math.max(readMs, computeMs(median)) + limits.bareSingleMs;
    }
    case 'W2':
      return Math.max(readMs / ROWS_PER_BATCH, meanMs(lengths.singles)) + limits.bareSingleMs;
    case 'W3':
      return Math.max(readMs, ROWS_PER_BATCH * meanMs(lengths.batches)) + limits.bareBatchMs;
    case 'W4':
      return Math.max(readMs, computeMs(lengths.short)) + limits.bareSingleMs;
  }
}
