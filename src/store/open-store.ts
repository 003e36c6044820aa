import { DistilserveError } from '../domain/errors.js';
import { EmbeddedStore } from './embedded-store.js';
import { QdrantStore } from './qdrant-store.js';
import type { VectorStore } from './vector-store.js';

export interface StoreSettings {
  readonly store: 'embedded' | 'qdrant';
  readonly storePath: string;
  readonly qdrantUrl: string | undefined;
  readonly qdrantApiKey: string | undefined;
  readonly qdrantCollection: string;
  readonly qdrantTimeoutMs: number;
}

/**
 * The configured store. It opens whether or not there is anything in it: searches tell.
 *
 * @param encoderDigest sha256 of the encoder whose vectors are expected; undefined accepts any
 * @throws DistilserveError invalid_config when Qdrant is chosen without its address
 */
export async function openStore(settings: StoreSettings, encoderDigest: string | undefined): Promise<VectorStore> {
  if (settings.store === 'embedded') return new EmbeddedStore(settings.storePath, encoderDigest);
  const { qdrantUrl: url, qdrantApiKey: apiKey, qdrantCollection: collection, qdrantTimeoutMs: timeoutMs } = settings;
  if (url === undefined) {
    throw new DistilserveError('invalid_config', 'Expected QDRANT_URL with STORE=qdrant but it is not set');
  }
  return new QdrantStore({ url, apiKey, collection, timeoutMs, encoderDigest });
}
