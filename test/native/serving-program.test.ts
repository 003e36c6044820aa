import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { addon } from '../../src/native/addon.js';
import { PROJECT_ROOT } from '../helpers/fixtures.js';
import {
  ARCHITECTURES,
  answer,
  expectSameBitsInAnyBatch,
  randomRows,
  useServingModels,
} from '../helpers/serving-models.js';
import { expectClose } from '../helpers/tensors.js';
import { thrown, tinyDistilBert, usableKernels } from '../helpers/tiny-model.js';

const FLOAT32_TOLERANCE = 1e-5;
const KERNELS = addon().listKernels();
const USABLE = usableKernels();
const OWN = USABLE.filter((name) => name !== 'aten');

const { pathOf, load } = useServingModels();

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
        expectSameBitsInAnyBatch(model, architecture, 200);
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
