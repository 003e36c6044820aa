import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { randomNumbers, shuffled } from '../../train/lib/random.js';
import { PROJECT_ROOT } from '../helpers/fixtures.js';

export interface Workload {
  readonly name: string;
  readonly kind: 'single' | 'batch';
  /** Of one request. */
  readonly texts: readonly string[];
  /** Requests on their way at a time. */
  readonly concurrency: number;
}

const SHORT_TEXT = 'Great product!';
const LONG_TOKENS = 128;
const ROWS = 32;
const SEED = 42;

/** The texts of train/data/reviews.jsonl, in the file's order. */
export function readReviews(): string[] {
  const lines = readFileSync(join(PROJECT_ROOT, 'train/data/reviews.jsonl'), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => (JSON.parse(line) as { text: string }).text);
}

export async function makeWorkloads(reviews: readonly string[], tokenizer: Tokenizer): Promise<Workload[]> {
  const longTokens = Math.min(LONG_TOKENS, tokenizer.maxLength);
  const long = await textOfTokens(reviews.join(' ').split(' '), longTokens, async (text) => {
    const { ids } = await tokenizer.encode([text]);
    return ids.length;
  });
  const mixed = mixedLengths(reviews, ROWS);
  return [
    { name: 'single, short', kind: 'single', texts: [SHORT_TEXT], concurrency: 1 },
    { name: `single, ${longTokens} tokens`, kind: 'single', texts: [long], concurrency: 1 },
    { name: `batch of ${ROWS}, mixed lengths`, kind: 'batch', texts: mixed, concurrency: 1 },
    { name: `${ROWS} concurrent singles, short`, kind: 'single', texts: [SHORT_TEXT], concurrency: ROWS },
  ];
}

/**
 * A text of exactly `tokens` tokens out of the given words, those left out with which it would have more.
 *
 * @param count tokens of a text, special ones included
 */
export async function textOfTokens(
  words: readonly string[],
  tokens: number,
  count: (text: string) => Promise<number>,
): Promise<string> {
  let text = '';
  for (const word of words) {
    const longer = text === '' ? word : `${text} ${word}`;
    const length = await count(longer);
    if (length <= tokens) text = longer;
    if (length === tokens) return text;
  }
  throw new Error(`Expected words enough for a text of ${tokens} tokens but received ${words.length}`);
}

/** `rows` of the texts, from the shortest to the longest in even steps, in a shuffled order that is always the same. */
export function mixedLengths(texts: readonly string[], rows: number): string[] {
  const sorted = [...texts].sort((a, b) => a.length - b.length);
  const chosen = Array.from(
    { length: rows },
    (_, row) => sorted[Math.round((row * (sorted.length - 1)) / (rows - 1))]!,
  );
  return shuffled(chosen, randomNumbers(SEED));
}
