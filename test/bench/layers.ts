/** The three ways to an answer that are measured: the addon itself, the pool around it, HTTP around that. */
import { availableParallelism } from 'node:os';
import type { Config } from '../../src/config.js';
import type { Placement, Prediction } from '../../src/domain/types.js';
import type { ModelDir } from '../../src/model/model-dir.js';
import { addon } from '../../src/native/addon.js';
import { InferencePool } from '../../src/pool/inference-pool.js';
import { type EncodedTexts, Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { startServerProcess } from '../helpers/server-process.js';
import { LoadClient } from './load-client.js';
import type { Workload } from './workloads.js';

export interface Layer {
  readonly name: string;
  /** Calls block the thread, so that requests on their way together are the rows of one call. */
  readonly synchronous: boolean;
  /** Makes what is not to be measured, and returns what answers one request of the workload. */
  prepare(workload: Workload): Promise<() => Promise<readonly Prediction[]>>;
  close(): Promise<void>;
}

/** ScriptModule.classify on this thread, on ids made before. */
export function addonLayer(source: ModelDir, { device, dtype }: Placement): Layer {
  const { labels, maxLength, temperature } = source.config;
  const tokenizer = Tokenizer.load(source.tokenizerPath, maxLength);
  const module = new (addon().ScriptModule)(source.weightsPath, device, dtype);
  const answer = ({ ids, offsets }: EncodedTexts): Prediction[] => {
    const probabilities = module.classify(ids, offsets, temperature, availableParallelism());
    return Array.from({ length: offsets.length - 1 }, (_, row) => {
      const values = probabilities.subarray(row * labels.length, (row + 1) * labels.length);
      const confidence = Math.max(...values);
      return { label: labels[values.indexOf(confidence)]!, confidence };
    });
  };
  return {
    name: 'addon',
    synchronous: true,
    prepare: async ({ texts }) => {
      const encoded = await tokenizer.encode(texts);
      return async () => answer(encoded);
    },
    close: async () => module.dispose(),
  };
}

/** InferencePool.classify: one task of a worker thread a request, tokenizing included, no batching. */
export async function poolLayer({ modelDir, workers }: Config, placement: Placement): Promise<Layer> {
  const pool = await InferencePool.start({ modelDir, placement, workers });
  return {
    name: 'pool',
    synchronous: false,
    prepare:
      async ({ texts }) =>
      async () =>
        (await pool.classify(texts)).results,
    close: () => pool.close(),
  };
}

/** POST /predict over connections that stay open, to a server in a process of its own. */
export async function httpLayer({ modelDir, workers }: Config, { device, dtype }: Placement): Promise<Layer> {
  const settings = { modelDir, workers, device, dtype, logLevel: 'info' };
  const flags = Object.entries(settings).map(
    ([key, value]) => `--${key.replace(/[A-Z]/g, '-$&').toLowerCase()}=${value}`,
  );
  const server = await startServerProcess({ flags });
  let client: LoadClient | undefined;
  return {
    name: 'HTTP',
    synchronous: false,
    prepare: async ({ kind, texts, concurrency }) => {
      client?.close();
      const connections = new LoadClient(server.url, concurrency);
      client = connections;
      const body = kind === 'single' ? { text: texts[0] } : { texts };
      return async () => {
        const answer = await connections.post('/predict', body);
        if (answer.status !== 200) throw new Error(`Expected status 200 but received ${answer.status} ${answer.body}`);
        const json = JSON.parse(answer.body) as Prediction & { predictions: Prediction[] };
        return kind === 'single' ? [json] : json.predictions;
      };
    },
    close: async () => {
      client?.close();
      const code = await server.stop();
      if (code !== 0) throw new Error(`Expected the server to exit with 0 but it did with ${code}`);
    },
  };
}
