import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** sha256 of a file's bytes, hexadecimal. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Flushes a file, or a directory's entries, to disk: a rename is safe only after what it names. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A name beside `path` that no other process uses, to write into before renaming. */
export function stagingName(path: string): string {
  return `${path}.staging-${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/**
 * Whether `name` is a staging name of `path` that a killed process left behind. Only this machine's process ids mean
 * anything here.
 */
export function isAbandoned(name: string, path: string): boolean {
  const prefix = `${basename(path)}.staging-${hostname()}-`;
  if (!name.startsWith(prefix)) return false;
  const pid = /^(\d+)-[0-9a-f]{8}$/.exec(name.slice(prefix.length))?.[1];
  return pid !== undefined && !isAlive(Number(pid));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
