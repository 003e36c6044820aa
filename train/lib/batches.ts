import type { EncodedTexts } from '../../src/tokenizer/tokenizer.js';
import { randomNumbers, shuffled } from './random.js';

/** Rows of one batch, ragged as the addon takes them, and its labels. */
export interface Batch {
  readonly ids: Int32Array;
  readonly offsets: Int32Array;
  readonly labels: Int32Array;
}

/** Batches that are shuffled together before their rows are sorted by length. */
const BATCHES_PER_CHUNK = 50;

/**
 * The row numbers of each batch of an epoch: shuffled, rows of similar length together so that little is padded (as
 * Hugging Face's `group_by_length` does it). A pure function of its arguments.
 */
export function epochOrder(lengths: readonly number[], batchSize: number, seed: number, epoch: number): number[][] {
  const random = randomNumbers(seed * 1_000_003 + epoch);
  const rows = shuffled([...lengths.keys()], random);
  const batches: number[][] = [];
  for (let start = 0; start < rows.length; start += batchSize * BATCHES_PER_CHUNK) {
    const chunk = rows.slice(start, start + batchSize * BATCHES_PER_CHUNK);
    chunk.sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
    for (let row = 0; row < chunk.length; row += batchSize) batches.push(chunk.slice(row, row + batchSize));
  }
  return shuffled(batches, random);
}

/** Picks rows out of encoded texts. */
export function gather(encoded: EncodedTexts, labels: Int32Array, rows: readonly number[]): Batch {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, index) => {
    offsets[index + 1] = (offsets[index] as number) + lengthOf(encoded, row);
  });
  const ids = new Int32Array(offsets[rows.length] as number);
  rows.forEach((row, index) => {
    ids.set(encoded.ids.subarray(encoded.offsets[row], encoded.offsets[row + 1]), offsets[index]);
  });
  return { ids, offsets, labels: Int32Array.from(rows, (row) => labels[row] as number) };
}

/** Tokens of one row. */
export function lengthOf(encoded: EncodedTexts, row: number): number {
  return (encoded.offsets[row + 1] as number) - (encoded.offsets[row] as number);
}
