/**
 * Directories of the cache appear whole or not at all: filled under a name that no other process uses, then renamed.
 * There are no locks; of two processes at once, the later to finish takes what the earlier one published.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { isAlive, sync } from '../model/files.js';

const STAGING = /^\.staging-(.+)-(\d+)-[0-9a-f]{8}$/;
/** Small files are headers, of which there are thousands: a lost one shows at once, a lost half of a library may not. */
const SYNC_FROM_BYTES = 1 << 20;

export interface Staging {
  /** Becomes the target. */
  readonly tree: string;
  /** Is thrown away: archives, temporary files. */
  readonly scratch: string;
}

/** Makes the directory `target` with `fill`, unless it is there; whatever ends `fill` early leaves nothing behind. */
export async function publishDir(target: string, fill: (staging: Staging) => Promise<void>): Promise<void> {
  if (await isDirectory(target)) return;
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  await removeAbandoned(parent);
  const staging = join(parent, `.staging-${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`);
  const tree = join(staging, 'tree');
  const scratch = join(staging, 'scratch');
  try {
    await mkdir(tree, { recursive: true });
    await mkdir(scratch);
    await fill({ tree, scratch });
    await syncTree(tree);
    await rename(tree, target).catch(async (error: NodeJS.ErrnoException) => {
      if ((error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') || !(await isDirectory(target))) throw error;
    });
    await sync(parent);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

export async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}

// A process that was killed outright could not clean up. Only this machine's process ids mean anything here.
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, host, pid] = STAGING.exec(name) ?? [];
    if (host === hostname() && !isAlive(Number(pid))) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await stat(path)).size >= SYNC_FROM_BYTES) await sync(path);
  }
  await sync(dir);
}
