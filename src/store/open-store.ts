import type { Config } from '../config.js';
import { DistilserveError } from '../domain/errors.js';
import { EmbeddedStore } from './embedded-store.js';
import { QdrantStore } from './qdrant-store.js';
import type { VectorStore } from './vector-store.js';

export type StoreSettings = Pick<
  Config,
  'store' | 'storePath' | 'qdrantUrl' | 'qdrantApiKey' | 'qdrantCollection' | 'qdrantTimeoutMs'
>;

/**
 * The configured store. It opens whether or not there is anything in it: searches tell.
 *
 * @param encoderDigest sha256 of the encoder whose vectors are expected; undefined accepts any
 * @throws DistilserveError invalid_config when Qdrant is chosen without its address
 */
export function openStore(settings: StoreSettings, encoderDigest: string | undefined): VectorStore {
  if (settings.store === 'embedded') return new EmbeddedStore(settings.storePath, encoderDigest);
  const { qdrantUrl: url, qdrantApiKey: apiKey, qdrantCollection: collection, qdrantTimeoutMs: timeoutMs } = settings;
  if (url === undefined) {
    throw new DistilserveError('invalid_config', 'Expected QDRANT_URL with STORE=qdrant but it is not set');
  }
  return new QdrantStore({ url, apiKey, collection, timeoutMs, encoderDigest });
}
