import type { Neighbor } from '../domain/types.js';
import type { VectorStore } from '../store/vector-store.js';

/** Finds the products nearest to one that the store holds. */
export class RecommendationService {
  readonly #store: VectorStore;

  constructor(store: VectorStore) {
    this.#store = store;
  }

  /** @throws whatever {@link VectorStore.neighbors} throws */
  recommend(productId: string, k: number, signal: AbortSignal): Promise<Neighbor[]> {
    return this.#store.neighbors(productId, k, signal);
  }
}
