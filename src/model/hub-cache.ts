/**
 * Models of the Hugging Face hub in its cache, laid out as its Python client does: `blobs/<etag>`,
 * `snapshots/<commit>/<file>` (links to blobs), `refs/<revision>` (the commit). @huggingface/hub talks to the hub, but
 * its cache function checks no digests, writes no refs, and gives every process the same temporary name, so what is
 * around the transfer is ours (2.17.5).
 */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { downloadFile, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub';
import { DistilserveError } from '../domain/errors.js';
import type { HubSettings } from '../setup/environment.js';
import { startProgress } from '../setup/progress.js';
import { isFile } from '../setup/publish.js';
import { sync } from './files.js';

/** What a model folder must have, and what is taken along where it is there. */
export const REQUIRED_FILES = ['config.json', 'tokenizer.json', 'model.safetensors'];
const OPTIONAL_FILES = [
  'sentence_bert_config.json', // max_seq_length, often shorter than the position table
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.txt',
];

const COMMIT = /^[0-9a-f]{40}$/;
/** The hub answers its questions in well under a second; where it is out of reach, waiting longer helps nobody. */
const ANSWER_TIMEOUT_MS = 5000;
const STALLED_TRANSFER_MS = 30_000;

export interface Snapshot {
  readonly dir: string;
  readonly revision: string;
}

/** A complete snapshot in the cache, found without asking the hub. */
export async function findInHubCache(
  { cacheDir }: HubSettings,
  repo: string,
  revision: string,
): Promise<Snapshot | undefined> {
  const folder = repoFolder(cacheDir, repo);
  const ref = join(folder, 'refs', revision);
  const commit = COMMIT.test(revision) ? revision : (await isFile(ref)) ? (await readFile(ref, 'utf8')).trim() : '';
  if (!COMMIT.test(commit)) return undefined;
  const dir = join(folder, 'snapshots', commit);
  const present = await Promise.all(REQUIRED_FILES.map((name) => isFile(join(dir, name))));
  return present.every(Boolean) ? { dir, revision: commit } : undefined;
}

/**
 * Fetches a model into the cache; every file is checked against the digest that the hub lists for it.
 *
 * @throws DistilserveError download_failed; the library's or the network's error as `cause`
 */
export async function downloadFromHub(
  hub: HubSettings,
  repo: string,
  revision: string,
  signal?: AbortSignal,
): Promise<Snapshot> {
  // A branch would put each file under the commit that last touched it: one commit for all of them.
  const access = {
    ...(hub.endpoint === undefined ? {} : { hubUrl: hub.endpoint }),
    ...(hub.token === undefined ? {} : { accessToken: hub.token }),
  };
  const ask = { ...access, fetch: fetchWithin(ANSWER_TIMEOUT_MS, signal) };
  const { sha } = await modelInfo({ name: repo, revision, additionalFields: ['sha'], ...ask });
  if (!COMMIT.test(sha)) {
    throw new DistilserveError(
      'download_failed',
      `Expected the hub to name a commit for ${repo} but received '${sha}'`,
    );
  }
  const listed: ListFileEntry[] = [];
  for await (const entry of listFiles({ repo, revision: sha, ...ask })) listed.push(entry);
  const wanted = [...OPTIONAL_FILES, ...REQUIRED_FILES].flatMap(
    (name) => listed.find(({ path }) => path === name) ?? [],
  );
  const absent = REQUIRED_FILES.filter((name) => !wanted.some(({ path }) => path === name));
  if (absent.length > 0) {
    throw new DistilserveError(
      'download_failed',
      `Expected ${repo} at ${sha} to have ${absent.join(', ')} but it has not; choose a model with safetensors weights and a fast tokenizer`,
    );
  }
  const folder = repoFolder(hub.cacheDir, repo);
  const dir = join(folder, 'snapshots', sha);
  await mkdir(dir, { recursive: true });
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  const progress = startProgress(`Downloading ${repo}`, total, 'bytes');
  try {
    let before = 0;
    for (const entry of wanted) {
      const open = () => openFile(access, repo, sha, entry.path, signal);
      await fetchBlob(folder, entry, open, (bytes) => progress.update(before + bytes));
      await link(join('..', '..', 'blobs', etagOf(entry)), join(dir, entry.path));
      before += entry.size;
      progress.update(before);
    }
  } finally {
    progress.stop();
  }
  if (!COMMIT.test(revision)) await writeRef(join(folder, 'refs', revision), sha);
  return { dir, revision: sha };
}

function repoFolder(cacheDir: string, repo: string): string {
  return join(cacheDir, `models--${repo.replaceAll('/', '--')}`);
}

function etagOf({ lfs, oid }: ListFileEntry): string {
  return lfs?.oid ?? oid ?? '';
}

/** A file's bytes; `touch` postpones the moment at which a transfer counts as stalled. */
interface OpenFile {
  readonly bytes: Readable;
  readonly touch: () => void;
  readonly close: () => void;
}

async function openFile(
  access: { hubUrl?: string; accessToken?: string },
  repo: string,
  revision: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<OpenFile> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(new Error('the transfer stalled')), STALLED_TRANSFER_MS);
  const either = signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]);
  const limited: typeof fetch = (input, init) => fetch(input, { ...init, signal: either });
  const close = () => clearTimeout(timer);
  try {
    const blob = await downloadFile({ repo, revision, path, fetch: limited, ...access });
    if (blob === null) throw new DistilserveError('download_failed', `Expected the hub to have ${repo}/${path}`);
    return { bytes: Readable.fromWeb(blob.stream() as ReadableStream), touch: () => timer.refresh(), close };
  } catch (error) {
    close();
    throw error;
  }
}

async function fetchBlob(
  folder: string,
  entry: ListFileEntry,
  open: () => Promise<OpenFile>,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const blob = join(folder, 'blobs', etagOf(entry));
  if (await isFile(blob)) return;
  await mkdir(dirname(blob), { recursive: true });
  const partial = `${blob}.${process.pid}-${randomBytes(4).toString('hex')}.incomplete`;
  // Large files go by the sha256 of their bytes, small ones by git's own id of them.
  const hash = entry.lfs ? createHash('sha256') : createHash('sha1').update(`blob ${entry.size}\0`);
  const file = await open();
  let received = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      file.touch();
      hash.update(chunk);
      received += chunk.length;
      onBytes(received);
      done(null, chunk);
    },
  });
  try {
    await pipeline(file.bytes, meter, createWriteStream(partial));
    const actual = hash.digest('hex');
    if (actual !== etagOf(entry)) {
      throw new DistilserveError(
        'download_failed',
        `Expected ${entry.path} with digest ${etagOf(entry)} (as the hub lists it) but received ${received} bytes with ${actual}; nothing of it was kept`,
      );
    }
    await sync(partial);
    await rename(partial, blob);
  } finally {
    file.close();
    await rm(partial, { force: true });
  }
}

async function link(target: string, path: string): Promise<void> {
  await symlink(target, path).catch((error: NodeJS.ErrnoException) => {
    // Another process made the same link.
    if (error.code !== 'EEXIST') throw error;
  });
}

async function writeRef(path: string, commit: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const staging = `${path}.${process.pid}`;
  await writeFile(staging, commit);
  await rename(staging, path);
}

function fetchWithin(timeoutMs: number, signal: AbortSignal | undefined): typeof fetch {
  return (input, init) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    return fetch(input, { ...init, signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
  };
}

/** Why a call to the hub failed, with what `fetch` hides in its cause. */
export function hubErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`;
}
