import { Writable } from 'node:stream';
import type { InferenceEngine } from '../../src/domain/types.js';
import { createLogger } from '../../src/http/logger.js';
import { startServer } from '../../src/http/start-server.js';
import type { VectorStore } from '../../src/store/vector-store.js';
import { HashEngine, ListStore } from './stand-ins.js';

export interface TestServerOptions {
  /** Any engine, the real pool included; by default one whose answers are a hash of the text. */
  readonly engine?: InferenceEngine & { readonly replacedWorkers?: number };
  readonly store?: VectorStore;
  readonly port?: number;
  readonly maxLength?: number;
  readonly maxBatchTokens?: number;
  readonly maxQueue?: number;
  readonly maxBodyBytes?: number;
  readonly requestTimeoutMs?: number;
  readonly shutdownTimeoutMs?: number;
}

export type LogLine = Readonly<Record<string, unknown>>;

export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** Every line logged so far. */
  readonly logs: readonly LogLine[];
  close(): Promise<boolean>;
}

/** The whole server over the given engine and store, listening on a free port of the loopback interface. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const logs: LogLine[] = [];
  const collect = new Writable({
    write(chunk, _encoding, done) {
      logs.push(JSON.parse(String(chunk)) as LogLine);
      done();
    },
  });
  const engine: TestServerOptions['engine'] & {} = options.engine ?? new HashEngine();
  const server = await startServer({
    engine: {
      workers: engine.workers,
      classify: (texts) => engine.classify(texts),
      get replacedWorkers() {
        return engine.replacedWorkers ?? 0;
      },
    },
    store: options.store ?? new ListStore(),
    logger: createLogger(
      'debug',
      (error) => {
        throw error;
      },
      collect,
    ),
    maxLength: options.maxLength ?? 128,
    maxBatchTokens: options.maxBatchTokens ?? 1024,
    settings: {
      host: '127.0.0.1',
      port: options.port ?? 0,
      maxQueue: options.maxQueue ?? 2048,
      maxBodyBytes: options.maxBodyBytes ?? 1 << 20,
      requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
      shutdownTimeoutMs: options.shutdownTimeoutMs ?? 10_000,
    },
  });
  return { url: server.url, port: Number(new URL(server.url).port), logs, close: () => server.close() };
}
