/** The addon in several threads at once, and threads and processes that end while it computes. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { type DistilBertRecord, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { runProgram } from '../helpers/programs.js';
import { expectClose, ragged } from '../helpers/tensors.js';
import { openOnCpu, writeTinyDistilBert } from '../helpers/tiny-model.js';
import type { LogitsWorkerData } from './programs/logits-worker.js';

const CALLS = 30;
const REPEATS = 5;

const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
const suite = useSuiteDir();
let file: string;
before(async () => {
  file = join(suite.dir, 'tiny.pt');
  await writeTinyDistilBert(file);
});

function program(name: string): URL {
  return new URL(`./programs/${name}.js`, import.meta.url);
}

/** A thread that loads the model, waits for `start[0]` to become 1, and then calls it CALLS times. */
function startWorker(start: Int32Array): { loaded: Promise<unknown>; answers: Promise<Float32Array[]> } {
  const workerData: LogitsWorkerData = { file, ...ragged(record.ids), start, calls: CALLS };
  const worker = new Worker(program('logits-worker'), { workerData });
  let loaded!: (value: unknown) => void;
  const answers = new Promise<Float32Array[]>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message: 'loaded' | Float32Array[]) => {
      if (message !== 'loaded') resolve(message);
      else loaded(undefined);
    });
  });
  return { loaded: Promise.race([new Promise((resolve) => (loaded = resolve)), answers]), answers };
}

describe('ScriptModule in the main thread and two worker threads at once', () => {
  it('gives the same bits in all of them', async () => {
    const start = new Int32Array(new SharedArrayBuffer(4));
    const workers = [startWorker(start), startWorker(start)];
    await Promise.all(workers.map(({ loaded }) => loaded));
    Atomics.store(start, 0, 1);
    Atomics.notify(start, 0);
    const { ids, offsets } = ragged(record.ids);
    const model = openOnCpu(file);
    const here = Array.from({ length: CALLS }, () => model.logits(ids, offsets, 1));
    const first = here[0]!;
    expectClose(first, record.logits.flat(), 1e-5);
    for (const answers of [here, ...(await Promise.all(workers.map((worker) => worker.answers)))]) {
      expect(answers).to.have.length(CALLS);
      for (const answer of answers) expect(answer).to.deep.equal(first);
    }
  });
});

describe('the end of a thread or process with a call in flight', function () {
  this.timeout(60_000);

  it('worker.terminate(): the process lives on, and ends with code 0', async () => {
    const { code, signal, stdout, stderr } = await runProgram(program('terminate-in-flight'), [file]);
    expect({ code, signal, stderr }).to.deep.equal({ code: 0, signal: null, stderr: '' });
    // What the main thread's own model said before and after, and how many threads were ended in a call.
    expect(JSON.parse(stdout)).to.deep.equal({ same: true, terminated: 12 });
  });

  it(`process.exit(7): no crash in ${REPEATS} runs`, async () => {
    for (let run = 0; run < REPEATS; run++) {
      const { code, signal, stderr } = await runProgram(program('exit-in-flight'), [file, String(run)]);
      expect({ code, signal, stderr }).to.deep.equal({ code: 7, signal: null, stderr: '' });
    }
  });
});
