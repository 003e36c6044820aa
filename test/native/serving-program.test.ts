import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { addon } from '../../src/native/addon.js';
import type { Architecture, ScriptModule } from '../../src/native/types.js';
import { randomNumbers } from '../../train/lib/random.js';
import { PROJECT_ROOT, useSuiteDir } from '../helpers/fixtures.js';
import { writeRandomModel } from '../helpers/random-model.js';
import { expectClose, ragged } from '../helpers/tensors.js';
import { thrown, tinyDistilBert, usableKernels } from '../helpers/tiny-model.js';

const FLOAT32_TOLERANCE = 1e-5;
const KERNELS = addon().listKernels();
const USABLE = usableKernels();
const OWN = USABLE.filter((name) => name !== 'aten');

const COMMON = { padTokenId: 0, dropout: 0.1, attentionDropout: 0.1, seqClassifDropout: 0.2, layerNormEps: 1e-12 };
/** Sizes that fit no vector, no panel and no pass; the others are as people have them. */
const ARCHITECTURES: Record<string, Architecture> = {
  odd: {
    ...COMMON,
    nLayers: 2,
    dim: 21,
    nHeads: 3,
    hiddenDim: 50,
    vocabSize: 97,
    maxPositionEmbeddings: 130,
    numLabels: 3,
    activation: 'gelu',
  },
  relu: {
    ...COMMON,
    nLayers: 1,
    dim: 96,
    nHeads: 2,
    hiddenDim: 40,
    vocabSize: 50,
    maxPositionEmbeddings: 70,
    numLabels: 1,
    activation: 'relu',
    layerNormEps: 1e-5,
  },
  deep: {
    ...COMMON,
    nLayers: 3,
    dim: 64,
    nHeads: 2,
    hiddenDim: 1600,
    vocabSize: 300,
    maxPositionEmbeddings: 200,
    numLabels: 2,
    activation: 'gelu',
  },
  encoder: {
    ...COMMON,
    nLayers: 2,
    dim: 64,
    nHeads: 4,
    hiddenDim: 128,
    vocabSize: 300,
    maxPositionEmbeddings: 200,
    numLabels: 0,
    activation: 'gelu',
  },
};

const suite = useSuiteDir();
const open: ScriptModule[] = [];

async function pathOf(name: string): Promise<string> {
  const path = join(suite.dir, `${name}.pt`);
  await writeRandomModel(path, ARCHITECTURES[name]!, 5);
  return path;
}

function load(path: string, serving?: { architecture: Architecture; kernels: string }): ScriptModule {
  const model = new (addon().ScriptModule)(path, 'cpu', 'float32', serving);
  open.push(model);
  return model;
}

function randomRows(seed: number, count: number, { vocabSize, maxPositionEmbeddings }: Architecture): number[][] {
  const random = randomNumbers(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  return Array.from({ length: count }, (_, row) => {
    const length = row === 0 ? maxPositionEmbeddings : 1 + upTo(row % 4 === 0 ? maxPositionEmbeddings : 20);
    return Array.from({ length }, () => upTo(vocabSize));
  });
}

function answer(
  model: ScriptModule,
  architecture: Architecture,
  rows: readonly (readonly number[])[],
  threads: number,
) {
  const { ids, offsets } = ragged(rows);
  return architecture.numLabels > 0 ? model.logits(ids, offsets, threads) : model.embed(ids, offsets, threads);
}

after(() => {
  for (const model of open) model.dispose();
});

describe('the serving program', function () {
  this.timeout(60_000);

  for (const [name, architecture] of Object.entries(ARCHITECTURES)) {
    for (const kernels of USABLE) {
      it(`answers as the portable program does: ${name}, ${kernels}`, async () => {
        const path = await pathOf(name);
        const portable = load(path);
        const served = load(path, { architecture, kernels });
        expect([portable.kernels, served.kernels]).to.deep.equal(['portable', kernels]);
        const rows = randomRows(1, 40, architecture);
        for (const threads of [1, 3]) {
          const expected = answer(portable, architecture, rows, 1);
          const largest = Math.max(1, ...expected.map(Math.abs));
          expectClose(answer(served, architecture, rows, threads), [...expected], FLOAT32_TOLERANCE * largest);
        }
      });
    }
  }

  for (const kernels of OWN) {
    it(`gives a text the same bits alone and in any batch, on any number of threads: ${kernels}`, async () => {
      for (const name of ['odd', 'deep', 'encoder']) {
        const architecture = ARCHITECTURES[name]!;
        const model = load(await pathOf(name), { architecture, kernels });
        const rows = randomRows(2, 60, architecture);
        const alone = rows.map((row) => answer(model, architecture, [row], 1));
        const random = randomNumbers(3);
        for (let batch = 0; batch < 200; batch++) {
          const chosen = Array.from({ length: 1 + Math.floor(random() * 40) }, () =>
            Math.floor(random() * rows.length),
          );
          const threads = 1 + (batch % 3);
          const together = answer(
            model,
            architecture,
            chosen.map((row) => rows[row]!),
            threads,
          );
          const expected = Float32Array.from(chosen.flatMap((row) => [...alone[row]!]));
          expect(Buffer.from(together.buffer).equals(Buffer.from(expected.buffer)), `${name}, batch ${batch}`).to.equal(
            true,
          );
        }
      }
    });
  }

  it('cuts a batch of more tokens than one pass takes, in order', async () => {
    const architecture = ARCHITECTURES.encoder!;
    const path = await pathOf('encoder');
    const rows = randomRows(4, 400, architecture);
    const expected = answer(load(path), architecture, rows, 1);
    expectClose(
      answer(load(path, { architecture, kernels: 'auto' }), architecture, rows, 2),
      [...expected],
      FLOAT32_TOLERANCE,
    );
  });

  it('refuses weights that answer otherwise under the architecture given', async () => {
    const path = await pathOf('deep');
    const architecture = { ...ARCHITECTURES.deep!, nHeads: 4 };
    expect(thrown(() => load(path, { architecture, kernels: 'auto' }), 'native_failure')).to.include('they differ by');
  });

  it('leaves a model as it is whose parameters are not of the architecture given', async () => {
    const { architecture } = await tinyDistilBert();
    expect(load(await pathOf('deep'), { architecture, kernels: 'auto' }).kernels).to.equal('portable');
  });

  it('refuses kernels it does not know', async () => {
    const path = await pathOf('odd');
    const serving = { architecture: ARCHITECTURES.odd!, kernels: 'mmx' };
    expect(thrown(() => load(path, serving), 'invalid_argument')).to.include("aten but received 'mmx'");
  });
});

describe('the kernels', function () {
  this.timeout(60_000);

  it('are checked against ATen when they are loaded, and say why where they are left out', () => {
    expect(KERNELS.at(-1)).to.deep.equal({ name: 'aten', whyNot: '' });
    for (const { name, whyNot } of KERNELS) expect(whyNot, name).to.not.include('differs');
  });

  for (const kernels of OWN) {
    it(`agree with ATen over all tails of rows, columns and depth: ${kernels}`, () => {
      for (const activation of ['none', 'gelu', 'relu'] as const) {
        for (let rows = 1; rows <= 30; rows++) {
          const [n, k] = [1 + ((rows * 37) % 140), 1 + ((rows * 53) % 130)];
          expect(addon().gemmDifference(kernels, rows, n, k, activation), `${rows} x ${n} x ${k}`).to.be.below(1e-6);
        }
        for (const [rows, n, k] of [
          [200, 64, 384],
          [3, 384, 1536],
          [197, 40, 769],
          [1, 1, 3072],
        ] as const) {
          expect(addon().gemmDifference(kernels, rows, n, k, activation), `${rows} x ${n} x ${k}`).to.be.below(1e-6);
        }
      }
    });
  }

  it('share no symbol with files compiled for a smaller CPU', function () {
    const objects = readdirSync(join(PROJECT_ROOT, 'build/cmake'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /kernels.*\.cc\.o$/.test(name))
      .map((name) => join(PROJECT_ROOT, 'build/cmake', name));
    const { stdout, error } = spawnSync('nm', objects, { encoding: 'utf8' });
    if (error !== undefined || objects.length === 0) this.skip();
    const weak = stdout.split('\n').filter((line) => /^[0-9a-f ]* [VvWu] /.test(line));
    expect(weak).to.deep.equal([]);
    expect(stdout).to.include('Kernels');
  });
});
