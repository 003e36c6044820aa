/**
 * The rival onnxruntime-node behind Koa. PORT, PACKAGES (where it is installed), MODEL_DIR, ONNX (a file there), ROWS,
 * THREADS of a forward, PROCESSES that share the port: a forward blocks its process.
 */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { classifySorted, type Labelled, servePredictions } from './koa.js';

interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
interface OnnxRuntime {
  InferenceSession: {
    create(path: string, options: object): Promise<{ run(feeds: object): Promise<{ logits: Tensor }> }>;
  };
  Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => Tensor;
}
interface Tokenizers {
  Tokenizer: new (json: object, config: object) => { encode(text: string): { ids: number[] } };
}

const { PACKAGES = '', MODEL_DIR = '', ONNX = '', ROWS = '', THREADS = '', PROCESSES = '' } = process.env;
const MAX_LENGTH = 512;
const load = createRequire(join(PACKAGES, 'package.json'));
const { InferenceSession, Tensor } = load('onnxruntime-node') as OnnxRuntime;
const { Tokenizer } = load('@huggingface/tokenizers') as Tokenizers;

const readJson = (name: string): object => JSON.parse(readFileSync(join(MODEL_DIR, name), 'utf8')) as object;

if (cluster.isPrimary && Number(PROCESSES) > 1) {
  for (let started = 0; started < Number(PROCESSES); started++) cluster.fork();
} else {
  await serve();
}

async function serve(): Promise<void> {
  const { id2label } = readJson('config.json') as { id2label: Record<string, string> };
  const tokenizer = new Tokenizer(readJson('tokenizer.json'), readJson('tokenizer_config.json'));
  const session = await InferenceSession.create(join(MODEL_DIR, ONNX), {
    graphOptimizationLevel: 'all',
    intraOpNumThreads: Number(THREADS),
  });
  servePredictions((texts) =>
    classifySorted(texts, Number(ROWS), async (part) => {
      const { logits } = await session.run(feedsOf(part.map((text) => cut(tokenizer.encode(text).ids))));
      const labels = logits.dims[1]!;
      return part.map((_, row) => labelled(logits.data.subarray(row * labels, (row + 1) * labels), id2label));
    }),
  );
}

function cut(ids: readonly number[]): readonly number[] {
  return ids.length <= MAX_LENGTH ? ids : [...ids.slice(0, MAX_LENGTH - 1), ids.at(-1)!];
}

/** Padded to the longest row. */
function feedsOf(rows: readonly (readonly number[])[]): object {
  const length = Math.max(...rows.map((ids) => ids.length));
  const dims = [rows.length, length];
  const ids = new BigInt64Array(rows.length * length);
  const mask = new BigInt64Array(rows.length * length);
  rows.forEach((row, index) => {
    row.forEach((id, at) => {
      ids[index * length + at] = BigInt(id);
      mask[index * length + at] = 1n;
    });
  });
  return { input_ids: new Tensor('int64', ids, dims), attention_mask: new Tensor('int64', mask, dims) };
}

function labelled(logits: Float32Array, id2label: Readonly<Record<string, string>>): Labelled {
  const highest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
  return { label: id2label[logits.indexOf(highest)]!, confidence: 1 / sum };
}
