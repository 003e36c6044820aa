import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config.js';
import { DistilserveError, messageOf } from '../domain/errors.js';
import type { Product } from '../domain/types.js';
import { modelDirExists, readManifestDigest } from '../model/model-dir.js';
import { decodeStoreFile } from '../store/store-file.js';
import { ensureAddon, PROJECT_ROOT } from './native-addon.js';
import { say } from './progress.js';
import { isFile } from './publish.js';

const CATALOGUE = join(PROJECT_ROOT, 'train/data/products.jsonl');

/** One of the scripts of train/, with what it is given. */
export interface Script {
  /** As in `npm run COMMAND`. */
  readonly command: string;
  readonly file: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Makes what the server needs and does not find: the addon, the default classifier, the default encoder, the embedded
 * store at its default path. With MODEL_DIR, ENCODER_DIR or STORE=qdrant given it makes the addon alone.
 *
 * @throws DistilserveError as {@link missingParts}; native_missing, download_failed
 */
export async function prepare(config: Config, signal: AbortSignal): Promise<void> {
  const scripts = await missingParts(config);
  await ensureAddon({ signal });
  for (const script of scripts) await runScript(script, signal);
}

/**
 * The scripts that make what is missing, in their order. A path that was given is looked at and never written.
 *
 * @throws DistilserveError model_missing, naming the command that makes what is missing; data_invalid for the catalogue
 */
export async function missingParts(config: Config, catalogue = CATALOGUE): Promise<Script[]> {
  const { modelDir, encoderDir, storePath, device } = config;
  const given = config.modelDirGiven || config.encoderDirGiven || config.store === 'qdrant';
  if (config.modelDirGiven) await requireModel('MODEL_DIR', modelDir, `npm run train -- --out ${modelDir}`);
  if (config.encoderDirGiven) {
    await requireModel('ENCODER_DIR', encoderDir, `npm run train:encoder -- --out ${encoderDir}`);
  }
  if (given) {
    await requireModel('MODEL_DIR', modelDir, 'npm run train');
    return [];
  }
  const scripts: Script[] = [];
  if (!(await modelDirExists(modelDir))) {
    scripts.push({ command: 'train', file: 'train.js', args: ['--device', device] });
  }
  // The encoder has no use at the start but to seed.
  if (config.storePathGiven) return scripts;
  const encoderExists = await modelDirExists(encoderDir);
  if (!encoderExists) scripts.push({ command: 'train:encoder', file: 'encoder.js' });
  const reason = encoderExists ? await whySeed(config, catalogue) : 'the encoder is made anew';
  if (reason === undefined) return scripts;
  say(`To seed ${storePath}: ${reason}`);
  const env = { STORE: config.store, STORE_PATH: storePath, ENCODER_DIR: encoderDir, DEVICE: device };
  return [...scripts, { command: 'seed', file: 'seed.js', env }];
}

async function requireModel(setting: string, dir: string, command: string): Promise<void> {
  if (await modelDirExists(dir)) return;
  throw new DistilserveError(
    'model_missing',
    `Expected a model directory at ${setting}=${dir} but there is none; make one with: ${command}`,
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
    const expected = lines.map((line) => parseProduct(line, catalogue));
    return isDeepStrictEqual(embedded(products), embedded(expected)) ? undefined : 'the catalogue has changed';
  } catch (error) {
    if (error instanceof DistilserveError && error.code === 'store_unavailable') return messageOf(error);
    throw error;
  }
}

function parseProduct(line: string, catalogue: string): Product {
  try {
    const product = JSON.parse(line) as Product | null;
    if (typeof product === 'object' && product !== null) return product;
  } catch (cause) {
    throw new DistilserveError('data_invalid', badLine(line, catalogue), { cause });
  }
  throw new DistilserveError('data_invalid', badLine(line, catalogue));
}

function badLine(line: string, catalogue: string): string {
  return `Expected each line of ${catalogue} to be a JSON object but one is ${JSON.stringify(line.slice(0, 80))}; mend it`;
}

function embedded(products: readonly Product[]): unknown {
  return products
    .map(({ id, name, description }) => [id, name, description])
    .sort(([a = ''], [b = '']) => (a < b ? -1 : Number(a > b)));
}

async function runScript({ command, file, args = [], env = {} }: Script, signal: AbortSignal): Promise<void> {
  say(`npm run ${command}`);
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    signal.throwIfAborted();
    // What they print is not this process's answer to anyone: all of it goes to stderr, as set-up's own words do.
    const child = spawn(process.execPath, [join(PROJECT_ROOT, 'dist/train', file), ...args], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ...env },
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
