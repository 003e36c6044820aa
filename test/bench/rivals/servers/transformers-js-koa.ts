/** The rival transformers.js behind Koa. PORT, PACKAGES (where it is installed), MODEL_DIR, DTYPE (fp32 or q8), ROWS. */
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { classifySorted, servePredictions } from './koa.js';

interface TransformersJs {
  env: { allowRemoteModels: boolean; localModelPath: string };
  pipeline(
    task: 'text-classification',
    model: string,
    options: object,
  ): Promise<(texts: readonly string[]) => Promise<{ label: string; score: number }[]>>;
}

const { PACKAGES = '', MODEL_DIR = '', DTYPE = '', ROWS = '' } = process.env;
const { env, pipeline } = createRequire(join(PACKAGES, 'package.json'))('@huggingface/transformers') as TransformersJs;
env.allowRemoteModels = false;
env.localModelPath = dirname(MODEL_DIR);
const classifier = await pipeline('text-classification', basename(MODEL_DIR), { dtype: DTYPE });

servePredictions((texts) =>
  classifySorted(texts, Number(ROWS), async (part) =>
    (await classifier(part)).map(({ label, score }) => ({ label, confidence: score })),
  ),
);
