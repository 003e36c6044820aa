/**
 * Piscina's entry: one thread that tokenizes and runs the model.
 *
 * It loads and warms the model before its first task. A failure to load is kept and answered to every task: a thread
 * that dies while starting would be replaced by Piscina without end, and the reason lost.
 */
import { workerData } from 'piscina';
import { TextModel } from '../model/text-model.js';
import { toReply, type WorkerReply, type WorkerSetup, type WorkerTask } from './protocol.js';

const WARM_TIMEOUT_MS = 60_000;

async function start(): Promise<(task: WorkerTask) => Promise<WorkerReply>> {
  try {
    const { model: source, placement } = workerData as WorkerSetup;
    const model = TextModel.load(source, placement);
    await model.classify(['warm', 'a second and longer row, so that both shapes were seen once'], 1);
    return async (task) => run(model, task).catch(toReply);
  } catch (error) {
    return async () => toReply(error);
  }
}

async function run(model: TextModel, task: WorkerTask): Promise<WorkerReply> {
  if (task.kind === 'classify') return { ok: true, value: await model.classify(task.texts, task.threads) };
  const { arrivals, workers } = task;
  Atomics.add(arrivals, 0, 1);
  Atomics.notify(arrivals, 0);
  for (let seen = Atomics.load(arrivals, 0); seen < workers; seen = Atomics.load(arrivals, 0)) {
    if (Atomics.wait(arrivals, 0, seen, WARM_TIMEOUT_MS) === 'timed-out') {
      throw new Error(`Expected ${workers} workers to be ready but only ${seen} were after ${WARM_TIMEOUT_MS} ms`);
    }
  }
  return { ok: true, value: undefined };
}

export default start();
