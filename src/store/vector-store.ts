import type { EmbeddedProduct, Neighbor } from '../domain/types.js';

/** Where product embeddings are kept and searched; both stores pass one contract suite. */
export interface VectorStore {
  readonly kind: 'embedded' | 'qdrant';

  /**
   * The `k` products nearest to a stored one by cosine, the product itself left out: by falling score, scores equal to
   * 1e-6 by rising id. Fewer than `k` only when the store holds no more.
   *
   * @throws DistilserveError product_not_found, store_unavailable (with `retryAfterSeconds`), encoder_mismatch
   */
  neighbors(productId: string, k: number, signal?: AbortSignal): Promise<Neighbor[]>;

  /**
   * Makes the store hold exactly `points`. Readers see the old catalogue or the new one, never a mixture.
   *
   * @param encoderDigest sha256 of the encoder that made the vectors; a search refuses another encoder's vectors
   */
  replaceAll(points: readonly EmbeddedProduct[], encoderDigest: string): Promise<void>;

  /** Number of products held. */
  count(): Promise<number>;

  close(): Promise<void>;
}
