import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readHuggingFace } from '../../../src/model/hugging-face.js';
import { saveModelDir } from '../../../src/model/model-save.js';
import { readSafetensorsHeader } from '../../../src/model/safetensors.js';
import { addon, native } from '../../../src/native/addon.js';

/** Of the rivals too. */
const MAX_LENGTH = 512;

/** Saves a rival's Hugging Face folder as a model directory at `path`; both hold the same weights. */
export async function saveOwnModel(folder: string, path: string): Promise<void> {
  const { architecture, weightsSha256, tokenizerJson } = await readHuggingFace(folder);
  const { id2label } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as {
    id2label: Record<string, string>;
  };
  const labels = Object.keys(id2label).map((_, index) => id2label[index]!);
  const config = {
    kind: 'classifier' as const,
    architecture: { ...architecture, numLabels: labels.length },
    labels,
    maxLength: MAX_LENGTH,
    temperature: 1,
    baseModel: { id: 'rivals', sha256: weightsSha256 },
  };
  // The head's too, which training leaves out.
  const weights = await readSafetensorsHeader(join(folder, 'model.safetensors'));
  await saveModelDir(path, {
    config,
    writeWeights: (file) => native(() => addon().writeModel(config.architecture, weights, 0, file)),
    tokenizerJson,
  });
}
