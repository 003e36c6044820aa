import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DistilserveError, messageOf } from '../domain/errors.js';
import { runChild } from './child.js';
import { readSetupEnvironment, type SetupEnvironment } from './environment.js';
import { CUDA_WHEELS, LIBTORCH_PINS, LIBTORCH_VERSION, type LibtorchPin } from './pins.js';
import { say } from './progress.js';
import { isDirectory, isFile, publishDir } from './publish.js';
import { fetchWheel, type Wheel } from './wheel.js';

const LIBRARY_SUFFIX = process.platform === 'darwin' ? '.dylib' : '.so';
/** Where libtorch states its version: the first since 2.9, the second before. */
const VERSION_HEADERS = ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h'];

export interface LibtorchOptions {
  /** Keep the CUDA libraries too, when libtorch is downloaded. */
  readonly cuda?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly environment?: SetupEnvironment;
}

/**
 * The directory of libtorch 2.11.0 that holds include/ and lib/: `LIBTORCH`, or with `LIBTORCH_USE_PYTORCH=1` the
 * torch of the Python on PATH, or else a download into the user's cache.
 *
 * @throws DistilserveError invalid_config when the one that was named is not usable, download_failed
 */
export async function findLibtorch(options: LibtorchOptions = {}): Promise<string> {
  const { cuda = false, signal, environment = readSetupEnvironment() } = options;
  if (environment.libtorch !== undefined) return checked(environment.libtorch, 'LIBTORCH');
  if (environment.usePytorch) return checked(await pytorchDir(signal), 'LIBTORCH_USE_PYTORCH=1');
  const root = join(environment.cacheDir, `libtorch-${LIBTORCH_VERSION}${cuda ? '-cuda' : ''}`);
  if (!(await isDirectory(root))) {
    const pin = pinFor(`${process.platform}-${process.arch}`, cuda);
    await downloadLibtorch(root, pin, cuda ? CUDA_WHEELS : undefined, signal);
    say(`libtorch ${LIBTORCH_VERSION}: ${root}`);
  }
  return join(root, 'torch');
}

/** The pinned download for a platform, `process.platform`-`process.arch`. */
export function pinFor(platform: string, cuda: boolean): LibtorchPin {
  const pin = LIBTORCH_PINS[platform];
  const known = cuda ? ['linux-x64'] : Object.keys(LIBTORCH_PINS);
  if (pin !== undefined && known.includes(platform)) return pin;
  throw new DistilserveError(
    'invalid_config',
    `Expected one of ${known.join(', ')} for the download of libtorch${cuda ? ' with CUDA' : ''} but this machine is ${platform}; ` +
      `set LIBTORCH to a directory that holds include/ and lib/ of libtorch ${LIBTORCH_VERSION}`,
  );
}

/**
 * Fills `root` as the wheels lay out site-packages, because libtorch_cpu looks for its companions in
 * ../../nvidia/cu13/lib.
 */
export async function downloadLibtorch(
  root: string,
  pin: LibtorchPin,
  cudaWheels: readonly Wheel[] | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const cuda = cudaWheels !== undefined;
  await publishDir(root, async (staging) => {
    await fetchWheel(pin.torch, staging, (name) => (isWanted(name, pin, cuda) ? name : undefined), signal);
    for (const { wheel, file } of pin.companions) {
      await fetchWheel(wheel, staging, (name) => (name === file ? name : undefined), signal);
    }
    for (const wheel of cudaWheels ?? []) {
      await fetchWheel(wheel, staging, (name) => (isNvidiaLibrary(name) ? name : undefined), signal);
    }
    for (const { file } of pin.companions) await expectFile(join(staging.tree, file));
    for (const name of pin.libraries) await expectFile(join(staging.tree, 'torch/lib', name));
    await checked(join(staging.tree, 'torch'), pin.torch.requirement);
  });
}

function isWanted(name: string, { libraries }: LibtorchPin, cuda: boolean): boolean {
  if (name.startsWith('torch/include/') || name === 'torch/version.py') return true;
  if (!name.startsWith('torch/lib/')) return false;
  const library = name.slice('torch/lib/'.length);
  return libraries.includes(library) || (cuda && /^lib[^/]*\.so/.test(library) && library !== 'libtorch_python.so');
}

function isNvidiaLibrary(name: string): boolean {
  return /^nvidia\/[^/]+\/lib\/[^/]+\.so(\.\d+)*$/.test(name);
}

async function expectFile(path: string): Promise<void> {
  if (await isFile(path)) return;
  throw new DistilserveError('download_failed', `Expected ${path} in the downloaded wheels but it is not there`);
}

async function checked(path: string, source: string): Promise<string> {
  const dir = resolve(path);
  const mend = `give a directory that holds include/ and lib/ of libtorch ${LIBTORCH_VERSION}, or leave LIBTORCH and LIBTORCH_USE_PYTORCH unset to have it downloaded`;
  for (const file of ['include/torch/script.h', `lib/libtorch_cpu${LIBRARY_SUFFIX}`, `lib/libc10${LIBRARY_SUFFIX}`]) {
    if (await isFile(join(dir, file))) continue;
    throw new DistilserveError(
      'invalid_config',
      `Expected ${source} to hold ${file} but ${dir} does not have it; ${mend}`,
    );
  }
  const version = await readVersion(dir);
  if (version !== LIBTORCH_VERSION) {
    throw new DistilserveError(
      'invalid_config',
      `Expected ${source} to be libtorch ${LIBTORCH_VERSION} but ${dir} is ${version ?? 'of an unknown version'}; ${mend}`,
    );
  }
  return dir;
}

async function readVersion(dir: string): Promise<string | undefined> {
  for (const header of VERSION_HEADERS) {
    if (!(await isFile(join(dir, header)))) continue;
    const text = await readFile(join(dir, header), 'utf8');
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`^#define TORCH_VERSION_${part} (\\d+)`, 'm').exec(text)?.[1],
    );
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  return undefined;
}

async function pytorchDir(signal: AbortSignal | undefined): Promise<string> {
  // find_spec finds the package without importing it, which would take seconds.
  const code =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';
  const failed = (reason: string) =>
    new DistilserveError(
      'invalid_config',
      `Expected the python3 on PATH to have torch ${LIBTORCH_VERSION} (LIBTORCH_USE_PYTORCH=1) but ${reason}; ` +
        `install it with: python3 -m pip install torch==${LIBTORCH_VERSION}, or leave LIBTORCH_USE_PYTORCH unset`,
    );
  const { code: exitCode, output } = await runChild('python3', ['-c', code], { signal }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw failed(`it does not start (${messageOf(error)})`);
  });
  const dir = output.trim();
  if (exitCode !== 0) throw failed(`it ended with exit code ${exitCode}: ${dir}`);
  if (dir === '') throw failed('it has no torch');
  return dir;
}
