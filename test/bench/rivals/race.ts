/** Rounds over all rows, ours and the rivals' in turn, so that a machine that slows down slows all of them. */
import { messageOf } from '../../../src/domain/errors.js';
import { percentile } from '../statistics.js';
import type { Limits } from './floors.js';
import { RACE_DTYPES } from './geometry.js';
import type { RowFigures } from './measure-row.js';
import type { Competitor } from './rivals.js';
import type { RaceModel } from './setup.js';

export interface Row {
  readonly competitor: Competitor;
  readonly model: RaceModel;
}

/** A row's figures of every round, or why it has none. */
export interface RowRecord {
  readonly row: Row;
  readonly rounds: RowFigures[];
  failed?: string;
}

export interface RaceSteps {
  measureLimits(): Promise<Limits>;
  measureRow(row: Row, round: number): Promise<RowFigures>;
  /** Called after each row with what there is so far. */
  onRow(record: RowRecord, all: readonly RowRecord[], done: number): void;
}

export async function race(
  rows: readonly Row[],
  rounds: number,
  steps: RaceSteps,
  signal: AbortSignal,
): Promise<{ records: RowRecord[]; limits: Limits }> {
  const records = rows.map((row): RowRecord => ({ row, rounds: [] }));
  const limits: Limits[] = [];
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    limits.push(await steps.measureLimits());
    // There and back: nobody always follows the one that heats the machine most.
    for (const record of round % 2 === 0 ? records : records.toReversed()) {
      done++;
      if (record.failed !== undefined) continue;
      try {
        record.rounds.push(await steps.measureRow(record.row, round));
      } catch (error) {
        signal.throwIfAborted();
        record.failed = messageOf(error);
      }
      steps.onRow(record, records, done);
    }
  }
  return { records, limits: medianOf(limits) };
}

/** Rows by model and dtype, ours first in each. */
export function rowsOf(competitors: readonly Competitor[], models: readonly RaceModel[], only: RegExp): Row[] {
  return models.flatMap((model) =>
    RACE_DTYPES.flatMap((dtype) =>
      competitors
        .filter((one) => one.dtype === dtype && only.test(`${one.name}/${model}/${dtype}`))
        .map((competitor) => ({ competitor, model })),
    ),
  );
}

/** Figure by figure the median of the rounds that have it; of an even number the mean of the middle two. */
export function medianOf<T>(rounds: readonly T[]): T {
  const [first] = rounds;
  if (typeof first === 'number') {
    const sorted = (rounds as readonly number[]).filter(Number.isFinite).sort((a, b) => a - b);
    const upper = sorted[Math.floor(sorted.length / 2)]!;
    return ((percentile(sorted, 0.5) + upper) / 2) as T;
  }
  if (typeof first !== 'object' || first === null) return first!;
  const values = (key: string) =>
    rounds.map((round) => (round as Record<string, unknown>)[key]).filter((value) => value !== undefined);
  return Object.fromEntries(Object.keys(first).map((key) => [key, medianOf(values(key))])) as T;
}
