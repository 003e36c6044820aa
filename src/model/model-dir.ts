/**
 * The model directory: everything a model needs, named by a manifest of digests. model-save.ts writes it.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DistilserveError, messageOf } from '../domain/errors.js';
import { sha256, sha256File } from './files.js';
import { type ModelConfig, parseConfigJson, parseObject } from './model-config.js';

export const WEIGHTS = 'model.pt';
export const CONFIG = 'config.json';
export const TOKENIZER = 'tokenizer.json';
export const MANIFEST = 'manifest.json';
const REQUIRED = [WEIGHTS, CONFIG, TOKENIZER];

export interface ModelDir {
  /** The real directory, links resolved: later saves do not change what it holds. */
  readonly dir: string;
  /** sha256 of manifest.json, hence of every file. */
  readonly digest: string;
  readonly config: ModelConfig;
  readonly weightsPath: string;
  readonly tokenizerPath: string;
}

/**
 * Opens a model directory and checks every file against the manifest.
 *
 * @throws DistilserveError model_missing, or model_invalid naming the file that does not match
 */
export async function openModelDir(path: string): Promise<ModelDir> {
  const dir = await realpath(path).catch((error: unknown) => {
    throw missing(path, messageOf(error));
  });
  const { digest, files } = await readManifest(dir);
  await Promise.all(
    Object.entries(files).map(async ([name, expected]) => {
      const file = join(dir, name);
      const actual = await sha256File(file).catch((error: unknown) => {
        throw new DistilserveError('model_invalid', `Expected ${file}, which the manifest names: ${messageOf(error)}`);
      });
      if (actual !== expected) {
        throw new DistilserveError(
          'model_invalid',
          `Expected ${file} with sha256 ${expected} (manifest.json) but it has ${actual}; the directory mixes files of different models or is damaged: train or import it again`,
        );
      }
    }),
  );
  const configFile = join(dir, CONFIG);
  const text = await readFile(configFile, 'utf8').catch((error: unknown) => {
    throw new DistilserveError('model_invalid', `Expected ${configFile}, which was just there: ${messageOf(error)}`);
  });
  const config = parseConfigJson(text, configFile);
  return { dir, digest, config, weightsPath: join(dir, WEIGHTS), tokenizerPath: join(dir, TOKENIZER) };
}

/** The digest of a model directory, without reading its weights. */
export async function readManifestDigest(path: string): Promise<string> {
  return (await readManifest(path)).digest;
}

async function readManifest(dir: string): Promise<{ digest: string; files: Record<string, string> }> {
  const file = join(dir, MANIFEST);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw missing(dir, messageOf(error));
  });
  const files = parseObject(text, file).files;
  const valid =
    typeof files === 'object' &&
    files !== null &&
    Object.entries(files).every(([name, digest]) => basename(name) === name && typeof digest === 'string') &&
    REQUIRED.every((name) => Object.hasOwn(files, name));
  if (!valid) {
    throw new DistilserveError('model_invalid', `Expected ${file} to give a sha256 for each of ${REQUIRED.join(', ')}`);
  }
  return { digest: sha256(text), files: files as Record<string, string> };
}

function missing(path: string, reason: string): DistilserveError {
  return new DistilserveError(
    'model_missing',
    `Expected a model directory at ${path} but found none (${reason}); make one with: npm run train (classifier) or npm run train:encoder`,
  );
}

/** Whether something is there under the name; it may still be damaged. */
export async function modelDirExists(path: string): Promise<boolean> {
  return stat(join(path, MANIFEST)).then(
    () => true,
    () => false,
  );
}
