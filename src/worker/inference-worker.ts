/**
 * Piscina's entry: one thread that tokenizes and runs the model.
 *
 * It loads and warms the model before its first task. A failure to load does not end the thread, which Piscina would
 * replace without end: it is answered to each task, after another try, for what was missing may have come back.
 */
import { existsSync } from 'node:fs';
import { workerData } from 'piscina';
import type { ClassifiedBatch } from '../domain/types.js';
import { TextModel } from '../model/text-model.js';
import type { WarmTask, WorkerReply, WorkerSetup, WorkerTask } from './protocol.js';
import { reply } from './reply.js';

const WARM_TIMEOUT_MS = 60_000;

const setup = workerData as WorkerSetup;
let ready: TextModel | undefined;

async function warmModel(): Promise<TextModel> {
  if (ready !== undefined) return ready;
  const { model: source, placement, held } = setup;
  // A worker that replaces another may come after two saves over the model's name, which removed its directory.
  const model = TextModel.load(existsSync(source.dir) ? source : { ...source, ...held }, placement);
  await model.classify(['warm', 'a second and longer row, so that both shapes were seen once'], 1);
  ready = model;
  return model;
}

async function run(task: WorkerTask): Promise<ClassifiedBatch | undefined> {
  const model = await warmModel();
  if (task.kind === 'classify') return model.classify(task.texts, task.threads);
  waitForOthers(task);
  return undefined;
}

function waitForOthers({ arrivals, workers }: WarmTask): void {
  Atomics.add(arrivals, 0, 1);
  Atomics.notify(arrivals, 0);
  for (let seen = Atomics.load(arrivals, 0); seen < workers; seen = Atomics.load(arrivals, 0)) {
    if (Atomics.wait(arrivals, 0, seen, WARM_TIMEOUT_MS) === 'timed-out') {
      throw new Error(`Expected ${workers} workers to be ready but only ${seen} were after ${WARM_TIMEOUT_MS} ms`);
    }
  }
}

async function start(): Promise<(task: WorkerTask) => Promise<WorkerReply>> {
  await reply(warmModel);
  return (task) => reply(() => run(task));
}

export default start();
