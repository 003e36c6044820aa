import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Config, loadConfig } from '../config.js';
import { DistilserveError, messageOf } from '../domain/errors.js';
import type { Product } from '../domain/types.js';
import { modelDirExists, readManifestDigest } from '../model/model-dir.js';
import { decodeStoreFile } from '../store/store-file.js';
import { ensureAddon, PROJECT_ROOT } from './native-addon.js';
import { say } from './progress.js';
import { isFile } from './publish.js';

const CATALOGUE = join(PROJECT_ROOT, 'train/data/products.jsonl');

/**
 * Makes what the server needs and does not find: the addon, the default classifier, the default encoder, the embedded
 * store at its default path. A path that was given is looked at and never written.
 *
 * @throws DistilserveError model_missing, naming the command that makes what is missing; native_missing, download_failed
 */
export async function prepare(config: Config, signal: AbortSignal): Promise<void> {
  if (config.modelDirGiven) await requireModel('MODEL_DIR', config.modelDir, 'train');
  if (config.encoderDirGiven) await requireModel('ENCODER_DIR', config.encoderDir, 'train:encoder');
  await ensureAddon({ signal });
  if (!(await modelDirExists(config.modelDir))) await runScript('train', 'train.js', signal);
  // Qdrant is filled by `npm run seed`, and the encoder has no other use at the start.
  if (config.store === 'qdrant' || config.storePath !== loadConfig([], {}).storePath) return;
  if (!(await modelDirExists(config.encoderDir))) await runScript('train:encoder', 'encoder.js', signal);
  const reason = await whySeed(config);
  if (reason === undefined) return;
  say(`Seeding ${config.storePath}: ${reason}`);
  await runScript('seed', 'seed.js', signal, {
    STORE: config.store,
    STORE_PATH: config.storePath,
    ENCODER_DIR: config.encoderDir,
  });
}

async function requireModel(setting: string, dir: string, command: string): Promise<void> {
  if (await modelDirExists(dir)) return;
  throw new DistilserveError(
    'model_missing',
    `Expected a model directory at ${setting}=${dir} but there is none; make one with: npm run ${command} -- --out ${dir}`,
  );
}

/** Why the embedded store has to be made anew; undefined when it holds our catalogue as this encoder sees it. */
export async function whySeed(
  config: Pick<Config, 'storePath' | 'encoderDir'>,
  catalogue = CATALOGUE,
): Promise<string | undefined> {
  if (!(await isFile(config.storePath))) return 'there is no such file';
  try {
    const { encoderDigest, products } = decodeStoreFile(await readFile(config.storePath), config.storePath);
    if (encoderDigest !== (await readManifestDigest(config.encoderDir))) return 'its vectors are of another encoder';
    const lines = (await readFile(catalogue, 'utf8')).split('\n').filter((line) => line.trim() !== '');
    const expected = lines.map((line) => JSON.parse(line) as Product);
    return isDeepStrictEqual(embedded(products), embedded(expected)) ? undefined : 'the catalogue has changed';
  } catch (error) {
    if (error instanceof DistilserveError && error.code === 'store_unavailable') return messageOf(error);
    throw error;
  }
}

function embedded(products: readonly Product[]): unknown {
  return products
    .map(({ id, name, description }) => [id, name, description])
    .sort(([a = ''], [b = '']) => (a < b ? -1 : Number(a > b)));
}

async function runScript(
  command: string,
  file: string,
  signal: AbortSignal,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  say(`npm run ${command}`);
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    signal.throwIfAborted();
    // What they print is not this process's answer to anyone: all of it goes to stderr, as set-up's own words do.
    const child = spawn(process.execPath, [join(PROJECT_ROOT, 'dist/train', file)], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ...settings },
    });
    const stop = (): boolean => child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    child.once('error', reject).once('close', (exitCode, exitSignal) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason);
      else resolve(exitCode ?? exitSignal);
    });
  });
  if (code === 0) return;
  throw new DistilserveError(
    'model_missing',
    `Expected \`npm run ${command}\` to succeed but it ended with ${code}; its message is above`,
  );
}
