/**
 * The server's process: settings, model, store, listening, and a stop that finishes what is in flight.
 *
 * Signals are heeded from the first moment: process 1 of a container has no default for them. Before the server listens
 * there is nothing to finish. A terminal's Ctrl-C comes twice (from the terminal and from npm), so a second signal only
 * counts as impatience after a moment.
 */
import { type Config, loadConfig } from './config.js';
import { DistilserveError, messageOf } from './domain/errors.js';
import { createLogger, type Logger } from './http/logger.js';
import { type RunningServer, startServer } from './http/start-server.js';
import { readManifestDigest } from './model/model-dir.js';
import { choosePlacement } from './native/placement.js';
import { InferencePool } from './pool/inference-pool.js';
import { openStore } from './store/open-store.js';

/** A CPU is busy with a few hundred tokens, and small batches keep the wait for the next one short; a GPU is not. */
const CPU_BATCH_TOKENS = 1024;
const GPU_BATCH_TOKENS = 16_384;
const REPEATED_SIGNAL_MS = 1000;
/** Said at each start, so that nobody takes the default for DistilBERT's own weights. */
const BASE_NOTES: Readonly<Record<string, string>> = {
  'sentence-transformers/all-MiniLM-L6-v2':
    "all-MiniLM-L6-v2 folded into DistilBERT's architecture; for DistilBERT's own weights: " +
    'npm run train -- --base distilbert/distilbert-base-uncased',
};

let server: RunningServer | undefined;
let stop: () => Promise<boolean> = async () => true;
const logger = startLogger();

process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);
process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
main().catch(fatal);

async function main(): Promise<void> {
  const config = loadConfig();
  logger.level = config.logLevel;
  const { placement, reason } = choosePlacement(config.device, config.dtype);
  const pool = await InferencePool.start({ modelDir: config.modelDir, placement, workers: config.workers });
  const store = openStore(config, await encoderDigest(config));
  const running = await startServer({
    engine: pool,
    store,
    logger,
    maxLength: pool.model.maxLength,
    maxBatchTokens: placement.device === 'cpu' ? CPU_BATCH_TOKENS : GPU_BATCH_TOKENS,
    settings: config,
  });
  server = running;
  stop = async () => {
    const finished = await running.close();
    await pool.close();
    await store.close();
    return finished;
  };
  logger.info(
    {
      url: running.url,
      model: config.modelDir,
      model_digest: pool.model.digest,
      base_model: pool.model.baseModel,
      base_note: BASE_NOTES[pool.model.baseModel],
      labels: pool.model.labels,
      max_length: pool.model.maxLength,
      device: placement.device,
      dtype: placement.dtype,
      placement_reason: reason,
      workers: config.workers,
      store: store.kind,
    },
    `listening on ${running.url}`,
  );
}

function startLogger(): Logger {
  return createLogger('info', () => server?.metrics.observeLostLogWrite());
}

/** The digest that the store compares its vectors with; a default encoder that is not there is nobody's mistake. */
async function encoderDigest({ encoderDir, encoderDirGiven }: Config): Promise<string | undefined> {
  try {
    return await readManifestDigest(encoderDir);
  } catch (error) {
    if (!encoderDirGiven && error instanceof DistilserveError && error.code === 'model_missing') return undefined;
    throw error;
  }
}

let firstSignalAt: number | undefined;

function onSignal(signal: NodeJS.Signals): void {
  const now = performance.now();
  if (firstSignalAt !== undefined) {
    if (now - firstSignalAt < REPEATED_SIGNAL_MS) return;
    logger.warn({ signal }, 'stopping at once: second signal');
    process.exit(1);
  }
  firstSignalAt = now;
  logger.info({ signal }, 'stopping: finishing what is in flight');
  stop().then((finished) => {
    if (finished) logger.info('stopped');
    else logger.warn('stopped, with requests cut off after SHUTDOWN_TIMEOUT_MS');
    process.exit(finished ? 0 : 1);
  }, fatal);
}

function fatal(error: unknown): void {
  const code = error instanceof DistilserveError ? error.code : 'internal';
  // A stack helps with what nobody expected; a wrong setting is told in its message.
  logger.fatal({ code, ...(code === 'internal' ? { err: error } : {}) }, messageOf(error));
  process.exit(1);
}
