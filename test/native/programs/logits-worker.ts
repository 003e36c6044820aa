/** A thread of threads.test.ts: loads a model, says so, waits to be started, and posts the answers of all its calls. */
import { parentPort, workerData } from 'node:worker_threads';
import { addon } from '../../../src/native/addon.js';

export interface LogitsWorkerData {
  readonly file: string;
  readonly ids: Int32Array;
  readonly offsets: Int32Array;
  readonly start: Int32Array;
  readonly calls: number;
}

const { file, ids, offsets, start, calls } = workerData as LogitsWorkerData;
const model = new (addon().ScriptModule)(file, 'cpu', 'float32');
parentPort!.postMessage('loaded');
Atomics.wait(start, 0, 0);
parentPort!.postMessage(Array.from({ length: calls }, () => model.logits(ids, offsets, 1)));
