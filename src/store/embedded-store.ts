import type { EmbeddedProduct, Neighbor } from '../domain/types.js';
import { StorePool } from '../pool/store-pool.js';
import { packPoints } from './points.js';
import type { VectorStore } from './vector-store.js';

/** Exact cosine over one matrix from one file, in a thread of its own; a file that comes later is taken up by itself. */
export class EmbeddedStore implements VectorStore {
  readonly kind = 'embedded';
  readonly #pool: StorePool;

  /** @param encoderDigest the encoder whose vectors are expected; undefined accepts any */
  constructor(path: string, encoderDigest: string | undefined) {
    this.#pool = new StorePool({ path, encoderDigest });
  }

  neighbors(productId: string, k: number, signal?: AbortSignal): Promise<Neighbor[]> {
    return this.#pool.run({ kind: 'neighbors', productId, k }, signal);
  }

  async replaceAll(points: readonly EmbeddedProduct[], encoderDigest: string): Promise<void> {
    await this.#pool.run({ kind: 'replace', points: packPoints(points), encoderDigest });
  }

  count(): Promise<number> {
    return this.#pool.run({ kind: 'count' });
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
