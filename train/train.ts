/** `npm run train`: fine-tunes a classifier on labelled texts and saves its model directory. */
import { availableParallelism } from 'node:os';
import { DistilserveError } from '../src/domain/errors.js';
import type { Placement } from '../src/domain/types.js';
import { resolveBase } from '../src/model/base-weights.js';
import { readHuggingFace } from '../src/model/hugging-face.js';
import type { ModelConfig } from '../src/model/model-config.js';
import { prepareModelDir, saveModelDir } from '../src/model/model-save.js';
import { argmaxRows } from '../src/model/text-model.js';
import { addon, native } from '../src/native/addon.js';
import { choosePlacement } from '../src/native/placement.js';
import type { Trainer } from '../src/native/types.js';
import { epochOrder, gather } from './lib/batches.js';
import { type Dataset, loadDataset } from './lib/dataset.js';
import { parseLabelMap } from './lib/examples.js';
import { integer, number, positive, readFlags, text } from './lib/flags.js';
import { type ClassificationMetrics, classificationMetrics, confusionTable } from './lib/metrics.js';
import { modelCard } from './lib/model-card.js';
import { Progress } from './lib/progress.js';
import { linearSchedule } from './lib/schedule.js';
import { script } from './lib/script.js';

const FLAGS = {
  data: text('train/data/reviews.jsonl', 'Labelled texts: .jsonl, .csv or .tsv, also .gz'),
  textColumn: text('text', 'Column of the text'),
  labelColumn: text('label', 'Column of the label'),
  labelMap: text(undefined, 'Labels as written=as wanted, comma-separated; others are left out'),
  base: text(undefined, 'Hugging Face folder or hub id; all-MiniLM-L6-v2 unless given'),
  out: text('models/sentiment', 'Model directory to write'),
  epochs: positive(1.2, 'Passes over the training rows; a part of one ends within it'),
  batchSize: integer(32, 'Rows in a step', 1),
  lr: positive(2e-4, 'Highest learning rate'),
  weightDecay: number(0.01, 'AdamW weight decay; none on biases and LayerNorm', 0),
  warmup: number(0.1, 'Share of all steps over which the learning rate rises', 0, 1),
  maxGradNorm: number(1, 'Gradients are scaled down to this norm; 0 leaves them', 0),
  maxLength: integer(256, 'Most tokens of a text', 4),
  seed: integer(42, 'Seed of the head, the dropout and the order of rows', 0),
  device: text('auto', 'auto, cpu or cuda:N'),
  dtype: text('auto', 'auto or float32'),
  threads: integer(availableParallelism(), 'Threads to compute with', 1, 1024),
};
type Flags = ReturnType<typeof readFlags<typeof FLAGS>>;

/** Most steps that may be skipped, their loss or gradient not being finite, before training is given up. */
const MOST_SKIPPED = 10;

await script(async () => {
  const flags = readFlags(FLAGS, process.argv.slice(2));
  log(`settings ${JSON.stringify(flags)}`);
  const { placement, reason } = choosePlacement(flags.device as string, flags.dtype as string);
  log(reason);
  await prepareModelDir(flags.out as string);
  const base = await resolveBase(flags.base);
  const pretrained = await readHuggingFace(base.dir);
  const maxLength = Math.min(flags.maxLength, pretrained.architecture.maxPositionEmbeddings);
  const data = await loadDataset(flags.data as string, {
    columns: {
      textColumn: flags.textColumn as string,
      labelColumn: flags.labelColumn as string,
      labelMap: parseLabelMap(flags.labelMap),
    },
    tokenizerPath: `${base.dir}/tokenizer.json`,
    maxLength,
    seed: flags.seed,
  });
  log(data.summary);
  const config: ModelConfig = {
    kind: 'classifier',
    architecture: { ...pretrained.architecture, numLabels: data.labels.length },
    labels: data.labels,
    maxLength,
    temperature: 1,
    baseModel: { id: base.id, sha256: pretrained.weightsSha256 },
  };
  const trainer = newTrainer(flags, placement, config, pretrained.weights);
  const { lossByEpoch, skipped } = await trainEpochs(trainer, data, flags);
  log(`mean loss by epoch ${lossByEpoch.map((loss) => loss.toFixed(4)).join(' ')}  steps skipped ${skipped}`);
  const heldOut = evaluate(trainer, data);
  log(`held-out accuracy ${heldOut.accuracy.toFixed(4)}  macro-F1 ${heldOut.macroF1.toFixed(4)}  rows ${heldOut.rows}`);
  log(confusionTable(data.labels, heldOut.confusion));
  const metrics = {
    heldOut,
    lossByEpoch,
    data: { file: flags.data, sha256: data.sha256 },
    flags,
  };
  const digest = await saveModelDir(flags.out as string, {
    config,
    writeWeights: (path) => native(() => trainer.save(path)),
    tokenizerJson: pretrained.tokenizerJson,
    extra: {
      'metrics.json': `${JSON.stringify(metrics, null, 2)}\n`,
      'README.md': modelCard(config, data, heldOut, flags.data as string),
    },
  });
  trainer.dispose();
  log(`saved classifier ${digest.slice(0, 12)} in ${flags.out}`);
});

function newTrainer(
  flags: Flags,
  placement: Placement,
  config: ModelConfig,
  weights: Awaited<ReturnType<typeof readHuggingFace>>['weights'],
): Trainer {
  const { seed, weightDecay, maxGradNorm, threads } = flags;
  const { architecture } = config;
  return native(
    () =>
      new (addon().Trainer)({
        architecture,
        weights,
        seed,
        weightDecay,
        maxGradNorm,
        threads,
        kernels: 'auto',
        ...placement,
      }),
  );
}

/** The training loop; returns the mean loss of each epoch over the steps that were taken, and how many were not. */
async function trainEpochs(
  trainer: Trainer,
  data: Dataset,
  flags: Flags,
): Promise<{ lossByEpoch: number[]; skipped: number }> {
  const totalSteps = Math.ceil(Math.ceil(data.lengths.length / flags.batchSize) * flags.epochs);
  const warmupSteps = Math.ceil(totalSteps * flags.warmup);
  const format = 'epoch {epoch} {bar} {value}/{total} | loss {loss} | lr {lr} | {speed} tokens/s';
  return Progress.during(totalSteps, format, async (progress) => {
    const lossByEpoch: number[] = [];
    let [step, tokens, skipped] = [0, 0, 0];
    let smoothed: number | undefined;
    for (let epoch = 0; step < totalSteps; epoch++) {
      let [total, taken] = [0, 0];
      const order = epochOrder(data.lengths, flags.batchSize, flags.seed, epoch);
      for (const rows of order.slice(0, totalSteps - step)) {
        const { ids, offsets, labels } = gather(data.train, data.trainLabels, rows);
        const learningRate = linearSchedule(step, totalSteps, warmupSteps, flags.lr);
        const result = native(() => trainer.step(ids, offsets, labels, learningRate));
        step++;
        tokens += ids.length;
        if (result.skipped) {
          skipped++;
          if (skipped > MOST_SKIPPED) throw diverged(skipped);
        } else {
          taken++;
          total += result.loss;
          smoothed = smoothed === undefined ? result.loss : 0.95 * smoothed + 0.05 * result.loss;
        }
        await progress.step({
          epoch: `${epoch + 1}/${flags.epochs}`,
          loss: smoothed?.toFixed(4) ?? '-',
          lr: learningRate.toExponential(1),
          speed: String(Math.round(tokens / progress.seconds)),
        });
      }
      if (taken === 0) throw diverged(skipped);
      lossByEpoch.push(total / taken);
    }
    return { lossByEpoch, skipped };
  });
}

function diverged(skipped: number): DistilserveError {
  return new DistilserveError(
    'invalid_argument',
    `Expected a finite loss and gradient but ${skipped} steps had none; try a lower --lr`,
  );
}

function evaluate(trainer: Trainer, { test, testLabels, labels }: Dataset): ClassificationMetrics {
  const rows = [...testLabels.keys()];
  const predicted: number[] = [];
  for (let start = 0; start < rows.length; start += 64) {
    const { ids, offsets } = gather(test, testLabels, rows.slice(start, start + 64));
    const logits = native(() => trainer.logits(ids, offsets));
    if (!logits.every(Number.isFinite)) {
      throw new DistilserveError(
        'invalid_argument',
        'Expected finite logits of the held-out rows but the weights have diverged, nothing is saved; try a lower --lr',
      );
    }
    predicted.push(...argmaxRows(logits, labels.length));
  }
  return classificationMetrics([...testLabels], predicted, labels.length);
}

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}
