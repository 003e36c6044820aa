import { join } from 'node:path';
import { expect } from 'chai';
import type { Device, Dtype } from '../../src/domain/types.js';
import { addon } from '../../src/native/addon.js';
import { choosePlacement } from '../../src/native/placement.js';
import { describeCuda } from '../helpers/describe-cuda.js';
import { type DistilBertRecord, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { expectClose, ragged } from '../helpers/tensors.js';
import { openOnCpu, thrown, tinyDistilBert, trainerOptions, writeTinyDistilBert } from '../helpers/tiny-model.js';

/** float32 may be computed with other sums than the CPU's; the half formats have 11 and 8 bits of precision. */
const TOLERANCES: Readonly<Record<Exclude<Dtype, 'int8'>, number>> = { float32: 1e-4, float16: 0.02, bfloat16: 0.1 };

const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
const all = ragged(record.ids);
const suite = useSuiteDir();
let file: string;
before(async () => {
  file = join(suite.dir, 'tiny.pt');
  await writeTinyDistilBert(file);
});

function open(device: Device, dtype: Dtype) {
  return new (addon().ScriptModule)(file, device, dtype);
}

describeCuda('ScriptModule', (device) => {
  for (const [dtype, tolerance] of Object.entries(TOLERANCES) as [Dtype, number][]) {
    it(`gives the recorded logits and embeddings in ${dtype}`, () => {
      const model = open(device, dtype);
      expectClose(model.logits(all.ids, all.offsets, 1), record.logits.flat(), tolerance, 'logits');
      expectClose(model.embed(all.ids, all.offsets, 1), record.embeddings.flat(), tolerance, 'embeddings');
      model.dispose();
    });
  }

  it('refuses an id outside the vocabulary before the device sees it, and answers afterwards', () => {
    const model = open(device, 'float32');
    thrown(() => model.logits(Int32Array.from([2, 115, 3]), Int32Array.from([0, 3]), 1), 'invalid_argument');
    expectClose(model.logits(all.ids, all.offsets, 1), record.logits.flat(), TOLERANCES.float32);
  });
});

describeCuda('Trainer', (device) => {
  it('learns, and saves what a CPU loads with the same logits', async () => {
    const tiny = await tinyDistilBert();
    const trainer = new (addon().Trainer)(trainerOptions(tiny, { device }));
    const labels = Int32Array.from(record.labels);
    const first = trainer.step(all.ids, all.offsets, labels, 2e-3).loss;
    let last = first;
    for (let step = 0; step < 30; step++) last = trainer.step(all.ids, all.offsets, labels, 2e-3).loss;
    expect(last).to.be.below(first / 2);
    const saved = join(suite.dir, 'trained.pt');
    trainer.save(saved);
    const logits = openOnCpu(saved).logits(all.ids, all.offsets, 1);
    expectClose(logits, trainer.logits(all.ids, all.offsets), 1e-3);
  });
});

describeCuda('choosePlacement()', (device) => {
  it('takes the first GPU for auto, in float32', () => {
    expect(choosePlacement('auto', 'auto').placement).to.deep.equal({ device, dtype: 'float32' });
  });
});
