import type { Config } from '../config.js';
import type { InferenceEngine } from '../domain/types.js';
import { Batcher } from '../service/batcher.js';
import { PredictionService } from '../service/prediction.js';
import { RecommendationService } from '../service/recommendation.js';
import type { VectorStore } from '../store/vector-store.js';
import { createApp } from './app.js';
import type { Logger } from './logger.js';
import { Metrics } from './metrics.js';
import { HttpServer } from './server.js';

export interface ServerParts {
  /** Stays the caller's to close, as does `store`. */
  readonly engine: InferenceEngine & { readonly replacedWorkers: number };
  readonly store: VectorStore;
  readonly logger: Logger;
  /** The model's max_length, in tokens. */
  readonly maxLength: number;
  /** Estimated tokens that one batch may hold. */
  readonly maxBatchTokens: number;
  readonly settings: Pick<
    Config,
    'host' | 'port' | 'maxQueue' | 'maxBodyBytes' | 'requestTimeoutMs' | 'shutdownTimeoutMs'
  >;
}

export interface RunningServer {
  /** `http://HOST:PORT` with the port that was taken. */
  readonly url: string;
  readonly metrics: Metrics;
  /** Finishes what is in flight; false if something had to be cut off. */
  close(): Promise<boolean>;
}

/** Puts the services together and listens. */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const { engine, store, logger, maxLength, maxBatchTokens, settings } = parts;
  const metrics = new Metrics({
    waitingTexts: () => batcher.waitingTexts,
    runningBatches: () => batcher.runningBatches,
    replacedWorkers: () => engine.replacedWorkers,
  });
  const batcher = new Batcher(engine, {
    maxQueue: settings.maxQueue,
    maxBatchTokens,
    maxLength,
    onBatch: (batch) => metrics.observeBatch(batch),
  });
  const app = createApp({
    prediction: new PredictionService(batcher),
    recommendation: new RecommendationService(store),
    metrics,
    logger,
    limits: settings,
  });
  const server = new HttpServer(app, logger);
  const { address, family, port } = await server.listen(settings.port, settings.host);
  const close = async (): Promise<boolean> => {
    const finished = await server.close(settings.shutdownTimeoutMs);
    await batcher.drain();
    metrics.close();
    return finished;
  };
  return { url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`, metrics, close };
}
