import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensorsHeader } from '../../src/model/safetensors.js';
import { addon } from '../../src/native/addon.js';
import type { Trainer, TrainerOptions } from '../../src/native/types.js';
import { randomNumbers } from '../../train/lib/random.js';
import { type DistilBertRecord, fixture, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { expectClose, norm, ragged, readTensors, type Tensor, writeTensors } from '../helpers/tensors.js';
import {
  openOnCpu,
  type TinyModel,
  thrown,
  tinyDistilBert,
  trainerOptions,
  usableKernels,
} from '../helpers/tiny-model.js';

interface TrainingRecord {
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly batches: readonly number[][];
  readonly learningRates: readonly number[];
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  readonly logitsAfter: readonly number[][];
}

const RELATIVE_TOLERANCE = 1e-4;
const LOSS_TOLERANCE = 1e-5;

const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
const all = ragged(record.ids);
const allLabels = Int32Array.from(record.labels);
const suite = useSuiteDir();
let tiny: TinyModel;
before(async () => {
  tiny = await tinyDistilBert();
});

/** The kernels that every trainer below computes with. */
let kernels = 'auto';

function newTrainer(changes: Partial<TrainerOptions> = {}): Trainer {
  return new (addon().Trainer)(trainerOptions(tiny, { kernels, ...changes }));
}

function withDropout(rate: number): Partial<TrainerOptions> {
  const dropout = { dropout: rate, attentionDropout: rate, seqClassifDropout: rate };
  return { architecture: { ...tiny.architecture, ...dropout } };
}

/** Mean cross-entropy of logits [rows, 3], by hand. */
function crossEntropy(logits: Float32Array, labels: Int32Array): number {
  let sum = 0;
  labels.forEach((label, row) => {
    const values = [...logits.subarray(row * 3, row * 3 + 3)];
    sum += Math.log(values.reduce((total, value) => total + Math.exp(value), 0)) - values[label]!;
  });
  return sum / labels.length;
}

function savedDigest(trainer: Trainer, name: string): string {
  const path = join(suite.dir, name);
  trainer.save(path);
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

for (const name of usableKernels()) {
  describe(`Trainer#step(), ${name} kernels`, () => {
    before(() => {
      kernels = name;
    });
    after(() => {
      kernels = 'auto';
    });

    it("follows PyTorch's losses, gradient norms and final weights over 20 steps", () => {
      const training = readFixture<TrainingRecord>('training.json');
      const { weightDecay, maxGradNorm } = training;
      const trainer = newTrainer({ weightDecay, maxGradNorm });
      training.batches.forEach((rows, step) => {
        const { ids, offsets } = ragged(rows.map((row) => record.ids[row]!));
        const labels = Int32Array.from(rows, (row) => record.labels[row]!);
        const result = trainer.step(ids, offsets, labels, training.learningRates[step]!);
        const [loss, gradNorm] = [training.losses[step]!, training.gradNorms[step]!];
        expect(result.skipped).to.equal(false);
        expect(result.loss / loss, `loss of step ${step}`).to.be.closeTo(1, RELATIVE_TOLERANCE);
        expect(result.gradNorm / gradNorm, `gradient norm of step ${step}`).to.be.closeTo(1, RELATIVE_TOLERANCE);
      });
      expectClose(trainer.logits(all.ids, all.offsets), training.logitsAfter.flat(), 1e-3, 'logits after training');
    });

    it('does not clip at maxGradNorm 0, rather than take the gradients away', () => {
      const [off, never, clipped] = [0, 1e9, 1e-3].map((maxGradNorm) => {
        const trainer = newTrainer({ maxGradNorm });
        trainer.step(all.ids, all.offsets, allLabels, 0.01);
        trainer.step(all.ids, all.offsets, allLabels, 0.01);
        return trainer.logits(all.ids, all.offsets);
      });
      expect(off).to.deep.equal(never);
      expect(off).to.not.deep.equal(clipped);
    });

    it('was recorded with gradients both above and below the norm they are clipped to', () => {
      const { gradNorms, maxGradNorm } = readFixture<TrainingRecord>('training.json');
      expect(Math.max(...gradNorms)).to.be.above(2 * maxGradNorm);
      expect(Math.min(...gradNorms)).to.be.below(maxGradNorm);
    });

    it('gives the cross-entropy of the logits before its update', () => {
      const trainer = newTrainer();
      const logits = trainer.logits(all.ids, all.offsets);
      expectClose(logits, record.logits.flat(), 1e-5, "Hugging Face's logits");
      const { loss } = trainer.step(all.ids, all.offsets, allLabels, 1e-3);
      expect(loss).to.be.closeTo(crossEntropy(logits, allLabels), LOSS_TOLERANCE);
    });

    it('learns to tell the labels of a small set apart', () => {
      const trainer = newTrainer();
      const first = trainer.step(all.ids, all.offsets, allLabels, 2e-3).loss;
      let last = first;
      for (let step = 0; step < 100; step++) last = trainer.step(all.ids, all.offsets, allLabels, 2e-3).loss;
      expect(first).to.be.above(1);
      expect(last).to.be.below(0.05);
      const logits = trainer.logits(all.ids, all.offsets);
      allLabels.forEach((label, row) => {
        const values = [...logits.subarray(row * 3, row * 3 + 3)];
        expect(values.indexOf(Math.max(...values)), record.texts[row]).to.equal(label);
      });
    });

    it('drops out in a step, and not in logits()', () => {
      const trainer = newTrainer(withDropout(0.5));
      const still = newTrainer();
      const logits = trainer.logits(all.ids, all.offsets);
      // A learning rate of 0 updates nothing: what differs between two steps is the dropout.
      const first = trainer.step(all.ids, all.offsets, allLabels, 0).loss;
      const second = trainer.step(all.ids, all.offsets, allLabels, 0).loss;
      const expected = crossEntropy(logits, allLabels);
      for (const loss of [first, second]) expect(Math.abs(loss - expected)).to.be.above(100 * LOSS_TOLERANCE);
      expect(first).not.to.equal(second);
      expect(trainer.logits(all.ids, all.offsets)).to.deep.equal(logits);
      expect(logits).to.deep.equal(still.logits(all.ids, all.offsets));
    });

    it('draws the same dropout and the same head from the same seed, and others from another', () => {
      const weights = tiny.weights.filter(({ name }) => name.startsWith('distilbert.'));
      const run = (seed: number, name: string): string => {
        const trainer = newTrainer({ ...withDropout(0.3), weights, seed });
        for (let step = 0; step < 5; step++) trainer.step(all.ids, all.offsets, allLabels, 1e-3);
        return savedDigest(trainer, name);
      };
      const first = run(7, 'seed.pt');
      expect(run(7, 'seed.pt')).to.equal(first);
      expect(run(8, 'seed.pt')).not.to.equal(first);
    });

    it('draws other dropout for another seed, the head being the same', () => {
      const loss = (seed: number): number =>
        newTrainer({ ...withDropout(0.3), seed }).step(all.ids, all.offsets, allLabels, 0).loss;
      expect(loss(1)).to.equal(loss(1));
      expect(loss(1)).not.to.equal(loss(2));
    });

    it('draws a new head as Hugging Face does: normal with deviation 0.02, bias 0', () => {
      const weights = tiny.weights.filter(({ name }) => name.startsWith('distilbert.'));
      const trainer = newTrainer({ weights });
      const logits = trainer.logits(all.ids, all.offsets);
      // Weights of 0.02 over 32 inputs give logits far below 1, and none of them exactly 0.
      expect(Math.max(...logits.map(Math.abs))).to.be.below(0.1);
      expect(norm(logits)).to.be.above(1e-4);
    });

    it('skips a step whose loss is not a number, and changes nothing', async () => {
      const tensors = await readTensors(`${fixture('distilbert-tiny')}/model.safetensors`);
      const poisoned = 60;
      const words = tensors.get('distilbert.embeddings.word_embeddings.weight')!;
      words.values.fill(3e38, poisoned * 32, poisoned * 32 + 32);
      words.values[poisoned * 32] = -3e38;
      const file = join(suite.dir, 'poisoned.safetensors');
      writeTensors(file, tensors);
      const trainer = newTrainer({ weights: await readSafetensorsHeader(file) });
      const before = savedDigest(trainer, 'skip.pt');
      const bad = ragged([
        [2, poisoned, 3],
        [2, 5, 3],
      ]);
      const result = trainer.step(bad.ids, bad.offsets, Int32Array.from([0, 1]), 1e-3);
      expect(result.skipped).to.equal(true);
      expect(Number.isFinite(result.loss)).to.equal(false);
      expect(savedDigest(trainer, 'skip.pt')).to.equal(before);
      const good = ragged([[2, 5, 3]]);
      expect(trainer.step(good.ids, good.offsets, Int32Array.from([0]), 1e-3).skipped).to.equal(false);
      expect(savedDigest(trainer, 'skip.pt')).not.to.equal(before);
    });

    it('refuses labels and batches that are wrong, and changes nothing', () => {
      const trainer = newTrainer();
      const before = savedDigest(trainer, 'refused.pt');
      const { ids, offsets } = ragged([
        [2, 5, 3],
        [2, 6, 3],
      ]);
      const step = trainer.step.bind(trainer) as (...args: unknown[]) => unknown;
      const cases: [unknown[], string][] = [
        [[ids, offsets, Int32Array.from([0, 3]), 1e-3], 'row 1 has 3'],
        [[ids, offsets, Int32Array.from([-1, 0]), 1e-3], 'row 0 has -1'],
        [[ids, offsets, Int32Array.from([0]), 1e-3], 'label'],
        [[ids, offsets, Int32Array.from([0, 1, 2]), 1e-3], 'label'],
        [[ids, offsets, [0, 1], 1e-3], 'labels'],
        [[ids, offsets, Int32Array.from([0, 1]), '1'], 'learningRate'],
        [[Int32Array.from([2, 115, 3, 2, 6, 3]), offsets, Int32Array.from([0, 1]), 1e-3], '115'],
        [[ids, Int32Array.from([0, 6, 6]), Int32Array.from([0, 1]), 1e-3], 'row 1'],
      ];
      for (const [args, named] of cases) expect(thrown(() => step(...args), 'invalid_argument')).to.include(named);
      expect(savedDigest(trainer, 'refused.pt')).to.equal(before);
    });
  });
}

describe('Trainer#step(), own kernels', function () {
  this.timeout(60_000);
  const own = usableKernels().filter((name) => name !== 'aten');

  for (const name of own) {
    it(`gives the same bits on any number of threads: ${name}`, () => {
      const digests = [1, 2, 3].map((threads) => {
        const trainer = newTrainer({ ...withDropout(0.2), kernels: name, threads });
        for (let step = 0; step < 3; step++) trainer.step(all.ids, all.offsets, allLabels, 0.01);
        return savedDigest(trainer, `threads-${threads}.pt`);
      });
      expect(new Set(digests).size).to.equal(1);
    });

    // With d drawn from a normal distribution, the mean of the squared slope along d is the squared gradient norm.
    it(`has the gradient of the loss it reports, dropout on: ${name}`, async () => {
      const tensors = await readTensors(`${fixture('distilbert-tiny')}/model.safetensors`);
      const file = join(suite.dir, `moved-${name}.safetensors`);
      const random = randomNumbers(11);
      const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      const lossAt = async (values: ReadonlyMap<string, Tensor>) => {
        writeTensors(file, values);
        const weights = await readSafetensorsHeader(file);
        const trainer = newTrainer({ ...withDropout(0.3), kernels: name, weights });
        const result = trainer.step(all.ids, all.offsets, allLabels, 0);
        trainer.dispose();
        return result;
      };
      const { gradNorm } = await lossAt(tensors);
      const reach = 3e-3;
      let squares = 0;
      const directions = 80;
      for (let direction = 0; direction < directions; direction++) {
        const step = new Map([...tensors].map(([key, { values }]) => [key, values.map(normal)]));
        const moved = (sign: number) =>
          new Map(
            [...tensors].map(([key, { shape, values }]) => [
              key,
              { shape, values: values.map((value, i) => value + sign * reach * step.get(key)![i]!) },
            ]),
          );
        const slope = ((await lossAt(moved(1))).loss - (await lossAt(moved(-1))).loss) / (2 * reach);
        squares += slope ** 2;
      }
      expect(Math.sqrt(squares / directions) / gradNorm).to.be.closeTo(1, 0.2);
    });
  }
});

describe('new Trainer()', () => {
  it('refuses fewer than two labels, and options that are missing', () => {
    const { architecture } = tiny;
    thrown(() => newTrainer({ architecture: { ...architecture, numLabels: 0 } }), 'model_invalid');
    const weights = tiny.weights.filter(({ name }) => name.startsWith('distilbert.'));
    for (const numLabels of [0, 1]) {
      const message = thrown(
        () => newTrainer({ weights, architecture: { ...architecture, numLabels } }),
        'invalid_argument',
      );
      expect(message).to.include('2 labels');
    }
    const { seed: _, ...rest } = trainerOptions(tiny);
    expect(thrown(() => new (addon().Trainer)(rest as TrainerOptions), 'invalid_argument')).to.include('seed');
  });
});

describe('Trainer#save()', () => {
  it('says that the disk is full, and lives', function fullDisk() {
    if (!existsSync('/dev/full')) {
      console.log('    skipped: this system has no /dev/full');
      this.skip();
    }
    const trainer = newTrainer();
    expect(thrown(() => trainer.save('/dev/full'), 'storage_failed')).to.include("'/dev/full': No space left");
    expect(() => trainer.save(join(suite.dir, 'after.pt'))).not.to.throw();
  });

  it('writes TorchScript that gives the same logits, dropout off', () => {
    const trainer = newTrainer(withDropout(0.5));
    for (let step = 0; step < 3; step++) trainer.step(all.ids, all.offsets, allLabels, 1e-3);
    const path = join(suite.dir, 'saved.pt');
    trainer.save(path);
    const logits = openOnCpu(path).logits(all.ids, all.offsets, 1);
    expectClose(logits, trainer.logits(all.ids, all.offsets), 1e-6);
    expect(Math.max(...logits.map((value, index) => Math.abs(value - record.logits.flat()[index]!)))).to.be.above(0.01);
  });

  it('lets training go on, with dropout again', () => {
    const trainer = newTrainer(withDropout(0.5));
    trainer.save(join(suite.dir, 'between.pt'));
    const [first, second] = [0, 1].map(() => trainer.step(all.ids, all.offsets, allLabels, 0).loss);
    expect(first).not.to.equal(second);
  });

  it('says where it cannot write', () => {
    thrown(() => newTrainer().save(join(suite.dir, 'no/such/folder/model.pt')), 'storage_failed');
  });
});

describe('Trainer#dispose()', () => {
  it('may be called twice, and makes every later call throw disposed', () => {
    const trainer = newTrainer();
    trainer.dispose();
    trainer.dispose();
    thrown(() => trainer.step(all.ids, all.offsets, allLabels, 1e-3), 'disposed');
    thrown(() => trainer.logits(all.ids, all.offsets), 'disposed');
    thrown(() => trainer.save(join(suite.dir, 'never.pt')), 'disposed');
  });
});
