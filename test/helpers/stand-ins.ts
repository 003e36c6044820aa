/** Engines and a store that do what a test tells them; where the real ones can be provoked, use those. */
import { createHash } from 'node:crypto';
import { DistilserveError } from '../../src/domain/errors.js';
import type { ClassifiedBatch, InferenceEngine, Neighbor, TextResult } from '../../src/domain/types.js';
import type { VectorStore } from '../../src/store/vector-store.js';

const TRUNCATED_FROM_CHARACTERS = 512;

/** A result that depends on nothing but the text: a mixed-up answer shows. */
export function hashResult(text: string): TextResult {
  const digest = createHash('sha256').update(text).digest();
  return {
    label: digest[0]! % 2 === 0 ? 'positive' : 'negative',
    confidence: Math.fround(0.5 + digest.readUInt32LE(4) / 2 ** 33),
    truncated: text.length > TRUNCATED_FROM_CHARACTERS,
  };
}

function batchOf(texts: readonly string[]): ClassifiedBatch {
  const results = texts.map(hashResult);
  return { results, tokens: 3 * texts.length, threads: 1, forwardMs: 1 };
}

/** Answers every batch at the next turn of the event loop. */
export class HashEngine implements InferenceEngine {
  readonly workers = 2;

  async classify(texts: readonly string[]): Promise<ClassifiedBatch> {
    await new Promise(setImmediate);
    return batchOf(texts);
  }
}

interface HeldBatch {
  readonly texts: readonly string[];
  answer(): void;
  answerWith(batch: ClassifiedBatch): void;
  fail(error: Error): void;
}

/** Holds every batch until the test answers or fails it. */
export class HeldEngine implements InferenceEngine {
  readonly workers: number;
  readonly batches: HeldBatch[] = [];

  constructor(workers = 1) {
    this.workers = workers;
  }

  classify(texts: readonly string[]): Promise<ClassifiedBatch> {
    return new Promise((resolve, reject) => {
      this.batches.push({ texts, answer: () => resolve(batchOf(texts)), answerWith: resolve, fail: reject });
    });
  }

  /** Resolves when `count` batches have arrived in all. */
  async arrived(count: number): Promise<void> {
    while (this.batches.length < count) await new Promise(setImmediate);
  }
}

/** Products `SKU-0` to `SKU-N`; the nearest to one are those that follow it. */
export class ListStore implements VectorStore {
  readonly kind = 'embedded';
  readonly #size: number;

  constructor(size = 200) {
    this.#size = size;
  }

  async neighbors(productId: string, k: number): Promise<Neighbor[]> {
    const index = Number(/^SKU-(\d+)$/.exec(productId)?.[1] ?? -1);
    if (index < 0 || index >= this.#size) {
      throw new DistilserveError('product_not_found', 'Expected the id of a stored product but received another');
    }
    return Array.from({ length: Math.min(k, this.#size - 1) }, (_, i) => ({
      id: `SKU-${(index + 1 + i) % this.#size}`,
      score: Math.fround(1 - (i + 1) / 1000),
    }));
  }

  async replaceAll(): Promise<void> {
    throw new Error('Not held here.');
  }

  async count(): Promise<number> {
    return this.#size;
  }

  async close(): Promise<void> {}
}
