import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DistilserveError } from '../domain/errors.js';
import { sha256, sha256File } from '../model/files.js';
import { hasProgram, runChild } from './child.js';
import { readSetupEnvironment } from './environment.js';
import { findLibtorch } from './libtorch.js';
import { startProgress } from './progress.js';
import { isFile } from './publish.js';

/** This file runs as dist/src/setup/native-addon.js. */
export const PROJECT_ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const ADDON = join(PROJECT_ROOT, 'build/Release/distilserve.node');
const STAMP = join(PROJECT_ROOT, 'build/native-stamp');
const CMAKE_TREE = join(PROJECT_ROOT, 'build/cmake');
/** A compiler that reads torch's headers holds about this much. */
const BYTES_PER_COMPILER = 2 * 2 ** 30;

const require = createRequire(import.meta.url);

export interface AddonOptions {
  /** Build although nothing changed. */
  readonly force?: boolean;
  /** Show all that cmake-js prints. */
  readonly verbose?: boolean;
  /** With libtorch's CUDA libraries beside it; as it was built last unless given. */
  readonly cuda?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Stamp {
  /** Of everything the addon is made from. */
  readonly digest: string;
  readonly cuda: boolean;
}

/**
 * Builds the addon unless the one that is there was made from the same sources, libtorch and Node-API.
 *
 * @returns whether it was built
 * @throws DistilserveError native_missing with the compiler's words, invalid_config, download_failed
 */
export async function ensureAddon(options: AddonOptions = {}): Promise<boolean> {
  const stamp = await readStamp();
  const cuda = options.cuda ?? stamp?.cuda ?? false;
  const libtorch = await findLibtorch({ cuda, signal: options.signal });
  const digest = await inputsDigest(PROJECT_ROOT, libtorch);
  if (!options.force && stamp?.digest === digest && (await isFile(ADDON))) {
    if (stamp.cuda !== cuda) await writeStamp({ digest, cuda });
    return false;
  }
  await requireTools();
  await rm(STAMP, { force: true });
  await build(libtorch, options);
  if (!(await isFile(ADDON))) {
    throw new DistilserveError('native_missing', `Expected cmake-js to make ${ADDON} but it did not. This is a bug.`);
  }
  await writeStamp({ digest, cuda });
  return true;
}

async function readStamp(): Promise<Stamp | undefined> {
  if (!(await isFile(STAMP))) return undefined;
  // A file that was cut short while it was written matches nothing, so the addon is built again.
  const [, digest, variant] = /^([0-9a-f]{64}) (cpu|cuda)\n$/.exec(await readFile(STAMP, 'utf8')) ?? [];
  return digest === undefined ? undefined : { digest, cuda: variant === 'cuda' };
}

async function writeStamp({ digest, cuda }: Stamp): Promise<void> {
  await writeFile(STAMP, `${digest} ${cuda ? 'cuda' : 'cpu'}\n`);
}

/** sha256 of all that the addon is made from; the same wherever the checkout `root` lies. */
export async function inputsDigest(root: string, libtorch: string): Promise<string> {
  const native = await readdir(join(root, 'native'), { recursive: true, withFileTypes: true });
  const files = native.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  files.push(join(root, 'CMakeLists.txt'));
  const sources = await Promise.all(files.sort().map(async (file) => [relative(root, file), await sha256File(file)]));
  const { binary } = require(join(PROJECT_ROOT, 'package.json')) as { binary: unknown };
  const versions = ['node-addon-api', 'cmake-js'].map(
    (name) => (require(`${name}/package.json`) as { version: string }).version,
  );
  return sha256(JSON.stringify([sources, libtorch, binary, versions, process.platform, process.arch]));
}

async function requireTools(): Promise<void> {
  const missing: string[] = [];
  if (!(await hasProgram('cmake'))) missing.push('CMake');
  const { compiler } = readSetupEnvironment();
  const compilers = compiler === undefined ? ['g++', 'clang++'] : [compiler];
  if (!(await someProgram(compilers))) missing.push('a C++20 compiler');
  if (!(await someProgram(['ninja', 'make']))) missing.push('ninja or make');
  if (missing.length === 0) return;
  const install =
    process.platform === 'darwin'
      ? 'xcode-select --install && brew install cmake ninja'
      : 'apt-get install cmake g++ make (Debian, Ubuntu)';
  throw new DistilserveError(
    'native_missing',
    `Expected ${missing.join(' and ')} on PATH to compile the addon but found none; install with: ${install}`,
  );
}

async function someProgram(names: readonly string[]): Promise<boolean> {
  for (const name of names) if (await hasProgram(name)) return true;
  return false;
}

async function build(libtorch: string, { verbose = false, signal }: AddonOptions): Promise<void> {
  const configure = () => cmakeJs(['configure', `--CDLIBTORCH=${libtorch}`], verbose, signal);
  const first = await configure();
  // A tree that another checkout, generator or compiler configured cannot be taken over.
  if (first.code !== 0 && (await isFile(join(CMAKE_TREE, 'CMakeCache.txt')))) {
    await rm(CMAKE_TREE, { recursive: true, force: true });
    await requireSuccess('configure the addon', await configure(), verbose);
  } else {
    await requireSuccess('configure the addon', first, verbose);
  }
  await requireSuccess('compile the addon', await compile(verbose, signal), verbose);
}

async function compile(verbose: boolean, signal: AbortSignal | undefined) {
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / BYTES_PER_COMPILER)));
  const args = ['build', '--parallel', String(jobs)];
  if (verbose) return cmakeJs(args, verbose, signal);
  const progress = startProgress('Compiling the addon', 1, 'steps');
  try {
    const result = await cmakeJs(args, verbose, signal, (line) => {
      // Ninja counts steps, make gives a percentage.
      const [, done, total] = /^\[\s*(\d+)(?:\/(\d+)|%)\]/.exec(line) ?? [];
      if (done !== undefined) progress.update(Number(done), Number(total ?? 100));
    });
    if (result.code === 0) progress.update(1, 1);
    return result;
  } finally {
    progress.stop();
  }
}

function cmakeJs(
  args: readonly string[],
  verbose: boolean,
  signal: AbortSignal | undefined,
  onLine?: (line: string) => void,
) {
  const cli = require.resolve('cmake-js/bin/cmake-js');
  const all = [cli, ...args, '--directory', PROJECT_ROOT, '--out', CMAKE_TREE];
  const show = (line: string) => process.stderr.write(`${line}\n`);
  return runChild(process.execPath, all, { signal, onLine: verbose ? show : (onLine ?? (() => {})) });
}

async function requireSuccess(
  what: string,
  { code, output }: { code: number | null; output: string },
  verbose: boolean,
): Promise<void> {
  if (code === 0) return;
  const shown = verbose ? 'its output is above' : `it printed:\n${output.trim()}`;
  throw new DistilserveError(
    'native_missing',
    `Expected cmake-js to ${what} but it ended with exit code ${code}; ${shown}`,
  );
}
