/** `npm run train:encoder`: makes the encoder's model directory out of a base model, as it is. */

import { resolveBase } from '../src/model/base-weights.js';
import { readHuggingFace } from '../src/model/hugging-face.js';
import { prepareModelDir, saveModelDir } from '../src/model/model-save.js';
import { addon, native } from '../src/native/addon.js';
import { readFlags, text } from './lib/flags.js';
import { script } from './lib/script.js';

const FLAGS = {
  base: text(undefined, 'Hugging Face folder or hub id; all-MiniLM-L6-v2 unless given'),
  out: text('models/encoder', 'Model directory to write'),
};

await script(async () => {
  const flags = readFlags(FLAGS, process.argv.slice(2));
  await prepareModelDir(flags.out as string);
  const base = await resolveBase(flags.base);
  const model = await readHuggingFace(base.dir);
  const digest = await saveModelDir(flags.out as string, {
    config: {
      kind: 'encoder',
      architecture: model.architecture,
      labels: [],
      maxLength: model.maxLength,
      temperature: 1,
      baseModel: { id: base.id, sha256: model.weightsSha256 },
    },
    writeWeights: (path) => native(() => addon().writeModel(model.architecture, model.weights, 0, path)),
    tokenizerJson: model.tokenizerJson,
  });
  process.stdout.write(`saved encoder ${digest.slice(0, 12)} of ${base.id} in ${flags.out}\n`);
});
