import { expect } from 'chai';
import type { Device, Dtype } from '../../src/domain/types.js';
import { addon } from '../../src/native/addon.js';
import { choosePlacement } from '../../src/native/placement.js';
import {
  ARCHITECTURES,
  answer,
  expectSameBitsInAnyBatch,
  randomRows,
  useServingModels,
} from '../helpers/serving-models.js';
import { norm } from '../helpers/tensors.js';
import { thrown, tinyDistilBert, trainerOptions } from '../helpers/tiny-model.js';

/**
 * Of the length of all answers together. Random weights are large, so that attention jumps from one token to another where
 * a trained model's would not move.
 */
const TOLERANCES = { bfloat16: 0.02, int8: 0.15 } as const;
/** Of a product's magnitude: float32 rounding, and no integer may be off by one. */
const PRODUCT_TOLERANCE = 1e-6;

const NARROWER = Object.keys(TOLERANCES) as (keyof typeof TOLERANCES)[];
const USABLE = NARROWER.flatMap((dtype) =>
  addon()
    .listKernels(dtype)
    .filter(({ whyNot }) => whyNot === '')
    .map(({ name }) => ({ dtype, name })),
);

const { pathOf, load } = useServingModels();

describe('the serving program in a narrower dtype', function () {
  this.timeout(120_000);

  for (const { dtype, name: kernels } of USABLE) {
    for (const [name, architecture] of Object.entries(ARCHITECTURES)) {
      it(`answers as float32 does, but not the same: ${name}, ${dtype}, ${kernels}`, async () => {
        const path = await pathOf(name);
        const served = load(path, { architecture, kernels }, dtype);
        expect(served.kernels).to.equal(kernels);
        const rows = randomRows(1, 40, architecture);
        const expected = answer(load(path), architecture, rows, 1);
        const found = answer(served, architecture, rows, 3);
        const difference = norm(found.map((value, index) => value - expected[index]!)) / norm(expected);
        expect(difference).to.be.below(TOLERANCES[dtype]).and.above(1e-4);
      });
    }

    it(`gives a text the same bits alone and in any batch, on any number of threads: ${dtype}, ${kernels}`, async () => {
      for (const name of ['odd', 'deep', 'encoder']) {
        const architecture = ARCHITECTURES[name]!;
        expectSameBitsInAnyBatch(load(await pathOf(name), { architecture, kernels }, dtype), architecture, 100);
      }
    });
  }

  it('gives the same bits with all int8 kernels that multiply full bytes in vectors as long', async () => {
    const architecture = ARCHITECTURES.deep!;
    const path = await pathOf('deep');
    const rows = randomRows(6, 20, architecture);
    const full = USABLE.filter(({ name }) => name === 'amx' || name === 'avx512vnni').filter(
      ({ dtype }) => dtype === 'int8',
    );
    const [first, ...others] = full.map(({ name: kernels }) =>
      answer(load(path, { architecture, kernels }, 'int8'), architecture, rows, 1),
    );
    for (const other of others) expect(other).to.deep.equal(first);
  });

  it('runs a DistilBERT that came without its architecture as it is in bfloat16, and refuses it in int8', async () => {
    const path = await pathOf('odd');
    const offered = addon().listDevices()[0]!.dtypes;
    if (offered.includes('bfloat16')) expect(load(path, undefined, 'bfloat16').kernels).to.equal('portable');
    if (!offered.includes('int8')) return;
    expect(thrown(() => load(path, undefined, 'int8'), 'dtype_unavailable')).to.include('take float32');
    const { architecture } = await tinyDistilBert();
    const serving = { architecture, kernels: 'auto' };
    expect(thrown(() => load(path, serving, 'int8'), 'dtype_unavailable')).to.include('its config.json');
    if (offered.includes('bfloat16')) expect(load(path, serving, 'bfloat16').kernels).to.equal('portable');
  });

  it('shows in the answer what is not finite on its way: no ReLU or conversion makes a number of it', async () => {
    const architecture = { ...ARCHITECTURES.odd!, layerNormEps: Number.NaN };
    const path = await pathOf('odd');
    const float32 = addon()
      .listKernels()
      .filter(({ whyNot }) => whyNot === '');
    for (const { dtype, name: kernels } of [
      ...float32.map(({ name }) => ({ dtype: 'float32' as const, name })),
      ...USABLE,
    ]) {
      thrown(() => load(path, { architecture, kernels }, dtype), 'native_failure');
    }
  });
});

describe('the kernels of narrower dtypes', function () {
  this.timeout(60_000);

  it('are checked against ATen when they are loaded, and say why where they are left out', () => {
    for (const dtype of NARROWER) {
      for (const { name, whyNot } of addon().listKernels(dtype)) expect(whyNot, name).to.not.include('differs');
    }
  });

  for (const { dtype, name } of USABLE) {
    it(`give the exact product of the converted values, over all tails: ${dtype}, ${name}`, () => {
      const difference = (rows: number, n: number, k: number, activation: 'none' | 'gelu' | 'relu') =>
        expect(
          addon().gemmDifference(name, rows, n, k, activation, dtype),
          `${rows} x ${n} x ${k}, ${activation}`,
        ).to.be.below(PRODUCT_TOLERANCE);
      for (const activation of ['none', 'gelu', 'relu'] as const) {
        for (let rows = 1; rows <= 40; rows++)
          difference(rows, 1 + ((rows * 37) % 140), 1 + ((rows * 53) % 130), activation);
        difference(200, 64, 384, activation);
        difference(3, 384, 1536, activation);
        difference(97, 40, 769, activation);
        difference(1, 1, 3072, activation);
      }
    });
  }
});

describe('a narrower dtype that is not there', () => {
  it('is refused by name of what there is, and by every kernel set that is missing', () => {
    for (const dtype of NARROWER) {
      if (addon().listDevices()[0]!.dtypes.includes(dtype)) {
        expect(choosePlacement('cpu', dtype).placement).to.deep.equal({ device: 'cpu', dtype });
      } else {
        const message = thrown(() => choosePlacement('cpu', dtype), 'dtype_unavailable');
        expect(message)
          .to.include('(float32')
          .and.to.match(/does not have it|no kernels/);
      }
    }
  });

  it('is refused by training, which is in float32', async () => {
    const tiny = await tinyDistilBert();
    for (const dtype of addon()
      .listDevices()[0]!
      .dtypes.filter((one) => one !== 'float32')) {
      const train = () =>
        new (addon().Trainer)(trainerOptions(tiny, { device: 'cpu' as Device, dtype: dtype as Dtype }));
      expect(thrown(train, 'dtype_unavailable')).to.include("'float32' for training").and.to.include(`'${dtype}'`);
    }
  });

  it('refuses kernels of another dtype', async () => {
    const path = await pathOf('odd');
    if (!addon().listDevices()[0]!.dtypes.includes('int8')) return;
    const serving = { architecture: ARCHITECTURES.odd!, kernels: 'aten' };
    expect(thrown(() => load(path, serving, 'int8'), 'invalid_argument')).to.include("but received 'aten'");
  });
});
