import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DistilserveError } from '../../../src/domain/errors.js';
import { say } from '../../../src/setup/progress.js';
import type { Geometry } from './geometry.js';
import type { References } from './measure-row.js';
import { saveOwnModel } from './own-model.js';
import type { RacePaths } from './paths.js';
import type { RaceTexts } from './requests.js';
import { exists, makeModel, type RaceModel, TRAINED_MODEL } from './setup.js';

/** A model as all servers get it. */
export interface Contender {
  readonly model: RaceModel;
  /** Hugging Face folder with ONNX graphs, for the rivals. */
  readonly folder: string;
  /** Model directory, for ours. */
  readonly ownModel: string;
  readonly references: References;
  readonly geometry: Geometry;
}

const MODELS: readonly RaceModel[] = ['mini', 'base', 'trained'];

/**
 * The models of a comma-separated list; without models/sentiment the trained one is left out.
 *
 * @throws DistilserveError invalid_config
 */
export async function chooseModels(list: string): Promise<RaceModel[]> {
  const names = new Set(list.split(','));
  const models = MODELS.filter((model) => names.delete(model));
  if (names.size > 0) {
    throw new DistilserveError(
      'invalid_config',
      `Expected --models of ${MODELS.join(', ')} but received ${[...names].join(', ')}`,
    );
  }
  if (!models.includes('trained') || (await exists(TRAINED_MODEL))) return models;
  say('There is no models/sentiment, so the trained model is left out; npm run train makes it.');
  return models.filter((model) => model !== 'trained');
}

export async function makeContender(
  model: RaceModel,
  texts: RaceTexts,
  paths: RacePaths,
  signal: AbortSignal,
): Promise<Contender> {
  const folder = await makeModel(model, texts, paths, signal);
  const ownModel = model === 'trained' ? TRAINED_MODEL : `${folder}-distilserve`;
  // Always anew: how a model directory is written may have changed.
  if (model !== 'trained') await saveOwnModel(folder, ownModel);
  const config = await readJson<{ n_layers: number; dim: number; hidden_dim: number }>(join(folder, 'config.json'));
  return {
    model,
    folder,
    ownModel,
    references: await readJson<References>(join(folder, 'references.json')),
    geometry: { layers: config.n_layers, dim: config.dim, hiddenDim: config.hidden_dim },
  };
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8')) as T;
}
