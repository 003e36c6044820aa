/** Threads of the real pool that end, under the real server. */
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { Piscina } from 'piscina';
import { openModelDir } from '../../src/model/model-dir.js';
import { InferencePool } from '../../src/pool/inference-pool.js';
import type { WorkerReply, WorkerSetup, WorkerTask } from '../../src/worker/protocol.js';
import { errorOf, post, request } from '../helpers/client.js';
import { useSuiteDir } from '../helpers/fixtures.js';
import { rejection } from '../helpers/rejection.js';
import { startTestServer, type TestServer } from '../helpers/server.js';
import { saveTinyClassifier } from '../helpers/tiny-model.js';

const WORKERS = 2;
/** Hundreds of milliseconds of work for the tiny model. */
const LONG_BATCH = new Array<string>(256).fill('a b c d e f g h i j k l m n o p q r s t u v w x y z '.repeat(4));

const suite = useSuiteDir();
let pool: InferencePool;

beforeEach(async () => {
  const modelDir = join(suite.dir, 'model');
  await saveTinyClassifier(modelDir);
  pool = await InferencePool.start({
    modelDir,
    placement: { device: 'cpu', dtype: 'float32' },
    workers: WORKERS,
  });
});
afterEach(() => pool.close());

/** What the pool keeps to itself: a thread that dies has no other handle. */
function piscina(): Piscina {
  return Reflect.get(pool, 'piscina') as Piscina;
}

/** Ends every thread of the pool, whatever it does. */
async function endThreads(): Promise<void> {
  const { threads } = piscina();
  expect(threads).to.have.length(WORKERS);
  await Promise.all(threads.map((thread) => thread.terminate()));
}

describe('InferencePool', () => {
  it('answers worker_died for the batch of a thread that ends, replaces the thread, and goes on', async () => {
    const before = await pool.classify(['good', 'bad']);
    const dying = rejection(pool.classify(LONG_BATCH), 'worker_died');
    await setTimeout(5);
    await endThreads();
    expect((await dying).message).to.include('try again');
    expect((await pool.classify(['good', 'bad'])).results).to.deep.equal(before.results);
    expect(piscina().threads).to.have.length(WORKERS);
    expect(pool.replacedWorkers).to.equal(WORKERS);
  });

  it('outlives threads that end while they have nothing to do', async () => {
    const before = await pool.classify(['good', 'bad']);
    await endThreads();
    expect((await pool.classify(['good', 'bad'])).results).to.deep.equal(before.results);
    expect(pool.replacedWorkers).to.equal(WORKERS);
  });

  it('outlives the uncaught error of a thread that has nothing to do', async () => {
    const before = await pool.classify(['good', 'bad']);
    const warning = once(process, 'warning');
    // What Node makes of an exception that nobody caught in the thread.
    piscina().threads[0]!.emit('error', new Error('out of luck'));
    expect((await warning)[0]).to.include({ name: 'InferenceWorkerWarning', message: 'out of luck' });
    expect((await pool.classify(['good', 'bad'])).results).to.deep.equal(before.results);
    expect(pool.replacedWorkers).to.equal(1);
  });

  it('replaces threads with the same model after its directory was removed by later saves', async () => {
    const before = await pool.classify(['good', 'bad']);
    await rm(suite.dir, { recursive: true });
    await endThreads();
    for (let batch = 0; batch < 2 * WORKERS; batch++) {
      expect((await pool.classify(['good', 'bad'])).results).to.deep.equal(before.results);
    }
  });

  it('lets a worker that could not load try again at its next batch', async () => {
    const model = await openModelDir(join(suite.dir, 'model'));
    const setup: WorkerSetup = { model, placement: { device: 'cpu', dtype: 'float32' }, held: model };
    await rename(model.tokenizerPath, `${model.tokenizerPath}.away`);
    const worker = new Piscina<WorkerTask, WorkerReply>({
      filename: new URL('../../src/worker/inference-worker.js', import.meta.url).href,
      maxThreads: 1,
      workerData: setup,
    });
    const task: WorkerTask = { kind: 'classify', texts: ['good'], threads: 1 };
    expect(await worker.run(task)).to.have.nested.property('error.code', 'model_invalid');
    await rename(`${model.tokenizerPath}.away`, model.tokenizerPath);
    expect(await worker.run(task)).to.have.property('ok', true);
    await worker.close();
  });

  it('finishes the batches that run before it closes, and refuses those that come later', async () => {
    const running = pool.classify(LONG_BATCH);
    await setTimeout(5);
    await pool.close();
    expect((await running).results).to.have.length(LONG_BATCH.length);
    await rejection(pool.classify(['good']), 'shutting_down');
    await pool.close();
  });

  it('answers with one thread for all cores as with one thread each', async () => {
    const alone = await pool.classify(LONG_BATCH.slice(0, 20));
    const together = await Promise.all([
      pool.classify(LONG_BATCH.slice(0, 20)),
      pool.classify(LONG_BATCH.slice(0, 20)),
    ]);
    for (const { results } of together) {
      results.forEach(({ label, confidence }, row) => {
        expect(label).to.equal(alone.results[row]!.label);
        expect(confidence).to.be.closeTo(alone.results[row]!.confidence, 1e-5);
      });
    }
  });
});

describe('InferencePool.start()', () => {
  const placement = { device: 'cpu', dtype: 'float32' } as const;

  it('says why a model cannot be served, and leaves no thread behind', async () => {
    const modelDir = join(suite.dir, 'too-long');
    await saveTinyClassifier(modelDir, { config: { maxLength: 65 } });
    const threads: Worker[] = [];
    const note = (thread: Worker) => threads.push(thread);
    process.on('worker', note);
    const error = await rejection(InferencePool.start({ modelDir, placement, workers: WORKERS }), 'model_invalid');
    process.off('worker', note);
    expect(error.message).to.include('max_length');
    expect(threads).to.have.length(WORKERS);
    // A thread that has ended has no id any more.
    expect(threads.map(({ threadId }) => threadId)).to.deep.equal([-1, -1]);
  });
});

describe('the server when a worker thread ends', () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ engine: pool, maxLength: 64, maxBatchTokens: 1 << 20 });
  });
  afterEach(() => server.close());

  it('answers its request with worker_died, counts it, and answers the next', async () => {
    const { json: before } = await post(`${server.url}/predict`, { text: 'good' });
    const dying = post(`${server.url}/predict`, { texts: LONG_BATCH });
    while (!/^distilserve_running_batches [12]$/m.test((await request(`${server.url}/metrics`)).text))
      await setTimeout(1);
    await endThreads();
    errorOf(await dying, 500, 'worker_died');
    const answer = await post(`${server.url}/predict`, { text: 'good' });
    expect({ status: answer.status, json: answer.json }).to.deep.equal({ status: 200, json: before });
    expect((await request(`${server.url}/metrics`)).text).to.match(/^distilserve_replaced_workers_total [1-9]/m);
  });
});
