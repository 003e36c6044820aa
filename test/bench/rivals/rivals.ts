/** Who takes part, each with its best sensible settings: one entry for every server, dtype and setting. */
import { copyFile, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Prediction } from '../../../src/domain/types.js';
import { PROJECT_ROOT } from '../../helpers/fixtures.js';
import type { RaceDtype } from './geometry.js';
import { PYTHON_SOURCES, type RacePaths, SERVERS } from './paths.js';
import type { RaceModel } from './setup.js';

export interface Start {
  readonly port: number;
  readonly model: RaceModel;
  /** The model's Hugging Face folder. */
  readonly folder: string;
  /** The same as a model directory of ours. */
  readonly ownModel: string;
  readonly paths: RacePaths;
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** How a server is asked; {@link OWN_API} unless said. */
export interface Api {
  single(text: string): object;
  batch(texts: readonly string[]): object;
  readSingle(body: unknown): Prediction;
  readBatch(body: unknown): readonly Prediction[];
}

export interface Competitor {
  readonly name: string;
  readonly dtype: RaceDtype;
  readonly ours: boolean;
  readonly api: Api;
  start(start: Start): Promise<Command>;
}

/** Sub-batches of a request, sorted by length: 8 rows waste little padding and still fill the cores. */
const ROWS = '8';
const CORES = availableParallelism();

const OWN_API: Api = {
  single: (text) => ({ text }),
  batch: (texts) => ({ texts }),
  readSingle: (body) => body as Prediction,
  readBatch: (body) => (body as { predictions: Prediction[] }).predictions,
};

interface TeiLabel {
  label: string;
  score: number;
}
const TEI_API: Api = {
  single: (text) => ({ inputs: text }),
  // A list of two texts would be one pair.
  batch: (texts) => ({ inputs: texts.map((text) => [text]) }),
  readSingle: (body) => highest(body as TeiLabel[]),
  readBatch: (body) => (body as TeiLabel[][]).map(highest),
};

function highest(labels: readonly TeiLabel[]): Prediction {
  const best = labels.reduce((a, b) => (b.score > a.score ? b : a));
  return { label: best.label, confidence: best.score };
}

const OURS: readonly Competitor[] = (['float32', 'int8', 'bfloat16'] as const).map((dtype) => ({
  name: 'distilserve',
  dtype,
  ours: true,
  api: OWN_API,
  start: async ({ port, ownModel }) => ({
    command: process.execPath,
    args: [join(PROJECT_ROOT, 'dist/src/main.js')],
    env: {
      PORT: String(port),
      MODEL_DIR: ownModel,
      DTYPE: dtype,
      // The rivals have no GPU either.
      DEVICE: 'cpu',
      STORE_PATH: join(tmpdir(), 'distilserve-race-without-products.store'),
    },
  }),
}));

function onnxruntime(setting: string, dtype: RaceDtype, file: string, processes: number): Competitor {
  const env = {
    ONNX: `onnx/${file}.onnx`,
    PROCESSES: String(processes),
    THREADS: String(Math.ceil(CORES / processes)),
  };
  return inNode(`onnxruntime-node, ${setting}`, dtype, 'ort-node-koa.js', env);
}

function inNode(name: string, dtype: RaceDtype, script: string, settings: Record<string, string>): Competitor {
  return {
    name,
    dtype,
    ours: false,
    api: OWN_API,
    start: async ({ port, folder, paths }) => ({
      command: process.execPath,
      args: [join(SERVERS, script)],
      env: { ...settings, PORT: String(port), PACKAGES: paths.packages, MODEL_DIR: folder, ROWS },
    }),
  };
}

function fastapi(dtype: RaceDtype, forwards: number): Competitor {
  const threads = Math.ceil(CORES / forwards);
  return {
    name: `FastAPI + transformers, ${forwards} forward${forwards === 1 ? '' : 's'} x ${threads} thread${threads === 1 ? '' : 's'}`,
    dtype,
    ours: false,
    api: OWN_API,
    start: async ({ port, folder, paths }) => ({
      command: paths.python,
      args: [
        ...['-m', 'uvicorn', 'fastapi_app:app', '--app-dir', PYTHON_SOURCES, '--host', '127.0.0.1'],
        ...['--port', String(port), '--loop', 'uvloop', '--http', 'httptools', '--log-level', 'warning'],
      ],
      env: { MODEL_DIR: folder, DTYPE: dtype, THREADS: String(threads), FORWARDS: String(forwards), ROWS },
    }),
  };
}

/** Its backend follows from the file it finds: model.onnx is onnxruntime's, model.safetensors candle's. */
function textEmbeddingsInference(backend: string, dtype: RaceDtype, file: string): Competitor {
  return {
    name: `text-embeddings-inference, ${backend}`,
    dtype,
    ours: false,
    api: TEI_API,
    start: async ({ port, folder }) => ({
      command: TEI_BINARY,
      args: [
        ...['--model-id', await teiFolder(folder, file), '--hostname', '127.0.0.1', '--port', String(port)],
        ...['--max-client-batch-size', '64'],
      ],
      env: {},
    }),
  };
}

async function teiFolder(folder: string, file: string): Promise<string> {
  const own = join(folder, `tei-${file.replaceAll('/', '-')}`);
  await rm(own, { recursive: true, force: true });
  await mkdir(own);
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  // Its ONNX backend wants BERT's names, which DistilBERT's config.json does not have.
  const names = { hidden_size: config.dim, num_hidden_layers: config.n_layers, num_attention_heads: config.n_heads };
  await writeFile(join(own, 'config.json'), JSON.stringify({ ...config, ...names }));
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']) {
    await copyFile(join(folder, name), join(own, name));
  }
  await link(join(folder, file), join(own, file.endsWith('.onnx') ? 'model.onnx' : 'model.safetensors'));
  return own;
}

/** Takes part where it is on PATH. */
export const TEI_BINARY = 'text-embeddings-router';

export function competitors(withTei: boolean): Competitor[] {
  const several = CORES > 1;
  return [
    ...OURS,
    onnxruntime('plain graph', 'float32', 'model', 1),
    onnxruntime('fused graph', 'float32', 'fused', 1),
    ...(several ? [onnxruntime(`fused graph, ${CORES} processes`, 'float32', 'fused', CORES)] : []),
    inNode('transformers.js', 'float32', 'transformers-js-koa.js', { DTYPE: 'fp32' }),
    fastapi('float32', 1),
    ...(several ? [fastapi('float32', CORES)] : []),
    onnxruntime('plain graph', 'int8', 'model_quantized', 1),
    onnxruntime('fused graph', 'int8', 'fused_quantized', 1),
    ...(several ? [onnxruntime(`fused graph, ${CORES} processes`, 'int8', 'fused_quantized', CORES)] : []),
    inNode('transformers.js', 'int8', 'transformers-js-koa.js', { DTYPE: 'q8' }),
    fastapi('bfloat16', 1),
    ...(several ? [fastapi('bfloat16', CORES)] : []),
    ...(withTei
      ? [
          textEmbeddingsInference('onnxruntime', 'float32', 'onnx/fused.onnx'),
          textEmbeddingsInference('candle', 'float32', 'model.safetensors'),
          textEmbeddingsInference('onnxruntime', 'int8', 'onnx/fused_quantized.onnx'),
        ]
      : []),
  ];
}
