/** Installs the rivals and makes their models, once: what is there and was made from the same sources is taken. */
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DistilserveError } from '../../../src/domain/errors.js';
import { resolveBase } from '../../../src/model/base-weights.js';
import { sha256 } from '../../../src/model/files.js';
import { readManifestDigest } from '../../../src/model/model-dir.js';
import { runChild } from '../../../src/setup/child.js';
import { say } from '../../../src/setup/progress.js';
import { PROJECT_ROOT } from '../../helpers/fixtures.js';
import { PYTHON_SOURCES, type RacePaths } from './paths.js';
import type { RaceTexts } from './requests.js';

export type RaceModel = 'mini' | 'base' | 'trained';

/** transformers.js 4.3.2 asks for this onnxruntime-node, so that both run the same. */
const PACKAGES = ['onnxruntime-node@1.30.0', '@huggingface/transformers@4.3.2', '@huggingface/tokenizers@0.2.0'];
const STAMP = '.distilserve-stamp';
/** Made by `npm run train`. */
export const TRAINED_MODEL = join(PROJECT_ROOT, 'models/sentiment');

export async function installRivals(paths: RacePaths, signal: AbortSignal): Promise<void> {
  const requirements = join(PYTHON_SOURCES, 'requirements.txt');
  const venv = dirname(dirname(paths.python));
  await onceFor(venv, await readFile(requirements, 'utf8'), async () => {
    say('Installing the rivals in Python: PyTorch and others, about 3 GB to download …');
    await run('python3', ['-m', 'venv', venv], signal);
    const pip = ['-m', 'pip', 'install', '--no-input', '--requirement', requirements];
    await run(paths.python, pip, signal, (line) => {
      const [shown] = /^(?:Collecting \S+|Installing \w+ \w+|\s*Downloading .*MB\))/.exec(line) ?? [];
      if (shown !== undefined) say(`  ${shown.trim()}`);
    });
  });
  await onceFor(paths.packages, PACKAGES.join(), async () => {
    say('Installing the rivals in Node …');
    await mkdir(paths.packages, { recursive: true });
    await writeFile(join(paths.packages, 'package.json'), '{"private": true}\n');
    // onnxruntime-node brings its CPU library; its script would fetch the one for CUDA.
    const npm = ['install', '--prefix', paths.packages, '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact'];
    await run('npm', [...npm, ...PACKAGES], signal);
  });
}

/** The Hugging Face folder of a model, with ONNX graphs and references.json. */
export async function makeModel(
  model: RaceModel,
  texts: RaceTexts,
  paths: RacePaths,
  signal: AbortSignal,
): Promise<string> {
  const folder = join(paths.models, model);
  const script = join(PYTHON_SOURCES, 'make_model.py');
  const base = model === 'trained' ? TRAINED_MODEL : (await resolveBase(undefined, { signal })).dir;
  const sources = [
    await readFile(script, 'utf8'),
    await readFile(join(PYTHON_SOURCES, 'requirements.txt'), 'utf8'),
    JSON.stringify(texts),
    model === 'trained' ? await readManifestDigest(TRAINED_MODEL) : base,
  ];
  await onceFor(folder, sources.join('\n'), async () => {
    say(`Making the rivals' model ${model}: weights, ONNX graphs, Hugging Face's answers; a minute or two …`);
    await mkdir(paths.models, { recursive: true });
    await writeFile(paths.requests, JSON.stringify(texts));
    await run(paths.python, [script, model, folder, paths.requests, '--base', base], signal, (line) => {
      if (line.startsWith('step: ')) say(`  ${line.slice('step: '.length)}`);
    });
  });
  return folder;
}

/** Runs `make` unless the directory was made from the same `source`; what was made half is made anew. */
async function onceFor(dir: string, source: string, make: () => Promise<void>): Promise<void> {
  const stamp = join(dir, STAMP);
  const digest = sha256(source);
  if ((await readFile(stamp, 'utf8').catch(() => undefined)) === digest) return;
  await rm(dir, { recursive: true, force: true });
  await make();
  await writeFile(stamp, digest);
}

async function run(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  onLine?: (line: string) => void,
): Promise<void> {
  // What a rival has is in its folder; nothing is to be looked for on the hub.
  const env = { HF_HUB_OFFLINE: '1', PYTHONUNBUFFERED: '1' };
  const { code, output } = await runChild(command, args, { signal, env, ...(onLine && { onLine }) }).catch((error) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DistilserveError('invalid_config', `Expected ${command} on PATH to set up the rivals but there is none`);
  });
  if (code === 0) return;
  throw new DistilserveError(
    'invalid_config',
    `Expected ${command} ${args.slice(0, 3).join(' ')} to succeed but it ended with ${code}: ${output.slice(-2000)}`,
  );
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
