import type { Prediction } from '../domain/types.js';
import type { Batcher } from './batcher.js';

export interface PredictionResult {
  /** In the order of the texts. */
  readonly predictions: readonly Prediction[];
  /** Positions of the texts that were longer than the model's max_length, rising. */
  readonly truncated: readonly number[];
}

/** Classifies the texts of one request. */
export class PredictionService {
  readonly #batcher: Batcher;

  constructor(batcher: Batcher) {
    this.#batcher = batcher;
  }

  /** @throws whatever {@link Batcher.classify} throws */
  async predict(texts: readonly string[], signal: AbortSignal): Promise<PredictionResult> {
    const results = await this.#batcher.classify(texts, signal);
    return {
      predictions: results,
      truncated: results.flatMap(({ truncated }, position) => (truncated ? [position] : [])),
    };
  }
}
