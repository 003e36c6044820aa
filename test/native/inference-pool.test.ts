import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InferencePool } from '../../src/pool/inference-pool.js';
import { useSuiteDir } from '../helpers/fixtures.js';
import { rejection } from '../helpers/rejection.js';
import { saveTinyClassifier, TINY_LABELS } from '../helpers/tiny-model.js';

const CPU = { device: 'cpu', dtype: 'float32' } as const;

describe('InferencePool#classify()', () => {
  const suite = useSuiteDir();
  let pool: InferencePool;

  before(async () => {
    await saveTinyClassifier(join(suite.dir, 'tiny'));
    pool = await InferencePool.start({ modelDir: join(suite.dir, 'tiny'), placement: CPU, workers: 2 });
  });
  after(() => pool.close());

  it('gives a batch that runs alone all cores', async () => {
    expect((await pool.classify(['alone'])).threads).to.equal(availableParallelism());
  });

  it('gives batches that begin in the same turn one thread each', async () => {
    const batches = await Promise.all([pool.classify(['one']), pool.classify(['two'])]);
    expect(batches.map(({ threads }) => threads)).to.deep.equal([1, 1]);
  });

  it('gives a batch all cores again when the others are done', async () => {
    await Promise.all([pool.classify(['one']), pool.classify(['two'])]);
    expect((await pool.classify(['alone'])).threads).to.equal(availableParallelism());
  });

  it('says what it serves', () => {
    expect(pool.model).to.deep.include({ labels: TINY_LABELS, maxLength: 64, baseModel: 'distilbert-tiny' });
    expect(pool.model.digest).to.match(/^[0-9a-f]{64}$/);
  });
});

describe('InferencePool.start()', () => {
  const suite = useSuiteDir();

  it('refuses an encoder where a classifier is expected', async () => {
    await saveTinyClassifier(join(suite.dir, 'encoder'), { config: { kind: 'encoder', labels: [] } });
    const starting = InferencePool.start({ modelDir: join(suite.dir, 'encoder'), placement: CPU, workers: 1 });
    expect((await rejection(starting, 'model_invalid')).message).to.include('Expected a classifier');
  });
});
