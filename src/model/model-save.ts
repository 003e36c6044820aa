/**
 * Saving a model directory: published whole or not at all.
 *
 * `NAME` is a symbolic link to `NAME-<digest>`. A save writes a new directory, syncs it, and renames a new link over
 * the old one: a reader that resolved the link sees one model throughout. The version before stays for such readers.
 * Saves under one name may overlap, in one process or several.
 */
import {
  access,
  constants,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DistilserveError, messageOf } from '../domain/errors.js';
import { isAbandoned, sha256, sha256File, stagingName, sync } from './files.js';
import { type ModelConfig, toConfigJson, toTokenizerJson } from './model-config.js';
import { CONFIG, MANIFEST, openModelDir, TOKENIZER, WEIGHTS } from './model-dir.js';

export interface ModelFiles {
  config: ModelConfig;
  /** Writes model.pt to the path it is given. */
  writeWeights: (path: string) => void;
  /** The base's tokenizer.json; kept but for padding and truncation, which become the model's. */
  tokenizerJson: string;
  /** More files by name: metrics.json, README.md ... */
  extra?: Record<string, string>;
}

/**
 * Whether a model can be saved under `path`, for asking before hours of training; makes the folder that it is to be in.
 *
 * @throws DistilserveError invalid_argument when something else is there, storage_failed
 */
export async function prepareModelDir(path: string): Promise<void> {
  const target = resolve(path);
  await refuseForeign(target);
  const folder = dirname(target);
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new DistilserveError(
      'storage_failed',
      `Expected ${folder} to be a folder to write ${basename(target)} in: ${messageOf(error)}; choose another --out`,
      { cause: error },
    );
  }
}

/** Saves a model under `path`, replacing what that name stood for in one step; returns its digest. */
export async function saveModelDir(path: string, files: ModelFiles): Promise<string> {
  const target = resolve(path);
  await prepareModelDir(target);
  const staging = stagingName(target);
  try {
    await mkdir(staging);
    const digest = await writeFiles(staging, files);
    await publish(target, staging, digest);
    return digest;
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
}

async function writeFiles(dir: string, files: ModelFiles): Promise<string> {
  files.writeWeights(join(dir, WEIGHTS));
  const texts: Record<string, string> = {
    [CONFIG]: `${JSON.stringify(toConfigJson(files.config), null, 2)}\n`,
    [TOKENIZER]: toTokenizerJson(files.tokenizerJson, files.config.maxLength),
    'tokenizer_config.json': `${JSON.stringify({ tokenizer_class: 'DistilBertTokenizerFast', model_max_length: files.config.maxLength }, null, 2)}\n`,
    ...files.extra,
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(dir, name), text);
  const digests: Record<string, string> = {};
  for (const name of [WEIGHTS, ...Object.keys(texts)].sort()) {
    digests[name] = await sha256File(join(dir, name));
    await sync(join(dir, name));
  }
  const manifest = `${JSON.stringify({ files: digests }, null, 2)}\n`;
  await writeFile(join(dir, MANIFEST), manifest);
  await sync(join(dir, MANIFEST));
  await sync(dir);
  return sha256(manifest);
}

// A directory, file or link that this module did not make is never replaced.
async function refuseForeign(target: string): Promise<void> {
  const status = await lstat(target).catch(() => undefined);
  if (status === undefined) return;
  const linked = await linkedName(target);
  if (linked !== undefined && isVersion(linked, target)) return;
  const found = linked === undefined ? `another ${status.isDirectory() ? 'directory' : 'file'}` : `a link to ${linked}`;
  throw new DistilserveError(
    'invalid_argument',
    `Expected ${target} to be free or a model saved before but it is ${found}; choose another --out or remove it`,
  );
}

/** Whether a name is made as those of the versions of `target` are. */
function isVersion(name: string, target: string): boolean {
  const prefix = `${basename(target)}-`;
  return name.startsWith(prefix) && /^[0-9a-f]{12}$/.test(name.slice(prefix.length));
}

/** Whether a directory with a version's name is one: its manifest has the digest of its name. */
async function holdsItsVersion(dir: string): Promise<boolean> {
  const manifest = await readFile(join(dir, MANIFEST)).catch(() => undefined);
  return manifest !== undefined && dir.endsWith(`-${sha256(manifest).slice(0, 12)}`);
}

async function publish(target: string, staging: string, digest: string): Promise<void> {
  const version = `${basename(target)}-${digest.slice(0, 12)}`;
  // The link is there before what it names: while it is, no other save removes that (see removeOutdated).
  const link = stagingName(target);
  await symlink(version, link);
  try {
    await putInPlace(target, staging, join(dirname(target), version), digest);
    const before = await linkedName(target);
    await rename(link, target);
    await sync(dirname(target));
    await removeOutdated(target, [version, before]);
  } catch (error) {
    await rm(link, { force: true });
    throw error;
  }
}

/** Renames a new directory to its version's name; a sound one of the same digest stays, a damaged one gives way. */
async function putInPlace(target: string, staging: string, versioned: string, digest: string): Promise<void> {
  for (;;) {
    try {
      return await rename(staging, versioned);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
    if (await isSound(versioned, digest)) return rm(staging, { recursive: true });
    await discard(versioned, target);
  }
}

async function isSound(dir: string, digest: string): Promise<boolean> {
  try {
    return (await openModelDir(dir)).digest === digest;
  } catch (error) {
    if (error instanceof DistilserveError) return false;
    throw error;
  }
}

/** Removes the versions that no name stands for: neither those `kept`, nor the link's, nor that of a save under way. */
async function removeOutdated(target: string, kept: readonly (string | undefined)[]): Promise<void> {
  const folder = dirname(target);
  // Manifests are read first, so that little time passes between asking which versions are in use and removing others.
  const versions = new Set<string>();
  for (const name of await readdir(folder)) {
    // Somebody's backup may be named by a date of twelve digits.
    if (isVersion(name, target) && (await holdsItsVersion(join(folder, name)))) versions.add(name);
  }
  const names = await readdir(folder);
  const staged = names.filter((name) => name.startsWith(`${basename(target)}.staging-`) && !isAbandoned(name, target));
  const used = new Set([...kept, ...(await Promise.all(staged.map((name) => linkedName(join(folder, name)))))]);
  // Read last: the link of a save under way may have become this one meanwhile.
  used.add(await linkedName(target));
  for (const name of names) {
    if (versions.has(name) && !used.has(name)) await discard(join(folder, name), target);
    if (isAbandoned(name, target)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Takes a directory out of its name in one step before removing it: nobody ever sees half of it there. */
async function discard(dir: string, target: string): Promise<void> {
  const aside = stagingName(target);
  try {
    await rename(dir, aside);
  } catch (error) {
    // Another save took it away first.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rm(aside, { recursive: true });
}

/** What a link names; undefined where there is none, or something else. */
async function linkedName(path: string): Promise<string | undefined> {
  return readlink(path).catch(() => undefined);
}
