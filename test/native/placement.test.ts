import { join } from 'node:path';
import { expect } from 'chai';
import type { Device, Dtype } from '../../src/domain/types.js';
import { addon } from '../../src/native/addon.js';
import { choosePlacement } from '../../src/native/placement.js';
import { type DistilBertRecord, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { expectClose, norm, ragged } from '../helpers/tensors.js';
import { thrown, tinyDistilBert, trainerOptions, writeTinyDistilBert } from '../helpers/tiny-model.js';

/** bfloat16 has 8 bits of precision, and the tiny model's weights are large: its logits reach 3. */
const BFLOAT16_TOLERANCE = 0.1;

const suite = useSuiteDir();
let file: string;
before(async () => {
  file = join(suite.dir, 'tiny.pt');
  await writeTinyDistilBert(file);
});

function open(device: string, dtype: string) {
  return new (addon().ScriptModule)(file, device as Device, dtype as Dtype);
}

describe('listDevices()', () => {
  it('begins with the CPU, which computes in float32 and never in float16', () => {
    const [cpu] = addon().listDevices();
    expect(cpu?.device).to.equal('cpu');
    expect(cpu?.name).to.be.a('string').that.is.not.empty;
    expect(cpu?.dtypes).to.include('float32').and.not.to.include('float16');
  });
});

describe('versions()', () => {
  it('is the pinned libtorch', () => {
    expect(addon().versions().libtorch).to.equal('2.11.0');
  });
});

describe('new ScriptModule() on a device or in a dtype that is not there', () => {
  for (const device of ['cuda:99', 'cuda', 'gpu', 'auto', '']) {
    it(`refuses device '${device}', naming what there is`, () => {
      const message = thrown(() => open(device, 'float32'), 'device_unavailable');
      for (const there of addon().listDevices()) expect(message).to.include(there.device);
    });
  }

  it('refuses float16 on the CPU, naming what it computes in', () => {
    expect(thrown(() => open('cpu', 'float16'), 'dtype_unavailable')).to.include('float32');
  });

  for (const dtype of ['int4', 'auto', 'Float32', '']) {
    it(`refuses '${dtype}', which is no dtype`, () => {
      expect(thrown(() => open('cpu', dtype), 'invalid_argument')).to.include('float32');
    });
  }

  it('holds for a Trainer too', async () => {
    const tiny = await tinyDistilBert();
    const train = (device: string, dtype: string) => () =>
      new (addon().Trainer)(trainerOptions(tiny, { device: device as Device, dtype: dtype as Dtype }));
    thrown(train('cuda:99', 'float32'), 'device_unavailable');
    thrown(train('cpu', 'float16'), 'dtype_unavailable');
    thrown(train('cpu', 'int4'), 'invalid_argument');
  });
});

describe('ScriptModule in bfloat16 on the CPU', () => {
  before(function () {
    if (addon().listDevices()[0]?.dtypes.includes('bfloat16')) return;
    this.test!.parent!.title += ' (skipped: this CPU has no bfloat16 instructions)';
    this.skip();
  });

  it('gives the logits within its tolerance, and not those of float32', () => {
    const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
    const { ids, offsets } = ragged(record.ids);
    const logits = open('cpu', 'bfloat16').logits(ids, offsets, 1);
    expectClose(logits, record.logits.flat(), BFLOAT16_TOLERANCE);
    expect(logits).not.to.deep.equal(open('cpu', 'float32').logits(ids, offsets, 1));
  });

  it('gives embeddings that are as close to norm 1 as those of float32, so that a store takes them', () => {
    for (const row of readFixture<DistilBertRecord>('distilbert-tiny.json').ids) {
      const { ids, offsets } = ragged([row]);
      expect(norm(open('cpu', 'bfloat16').embed(ids, offsets, 1))).to.be.closeTo(1, 1e-5);
    }
  });
});

describe('choosePlacement()', () => {
  it('takes float32 for auto, and says why', () => {
    const { placement, reason } = choosePlacement('auto', 'auto');
    expect(placement.dtype).to.equal('float32');
    expect(reason).to.include(placement.device).and.to.include('lossless');
  });

  it('takes what is asked', () => {
    expect(choosePlacement('cpu', 'float32').placement).to.deep.equal({ device: 'cpu', dtype: 'float32' });
  });

  it('never falls back: what is not there is an error naming what is', () => {
    expect(thrown(() => choosePlacement('cuda:99', 'auto'), 'device_unavailable')).to.include('cpu');
    expect(thrown(() => choosePlacement('cpu', 'float16'), 'dtype_unavailable')).to.include('float32');
    expect(thrown(() => choosePlacement('cpu', 'int7'), 'dtype_unavailable')).to.include('no dtype');
  });
});
