/** A thread that computes without end; `calls[0]` counts the calls it began. */
import { workerData } from 'node:worker_threads';
import { addon } from '../../../src/native/addon.js';
import { ragged } from '../../helpers/tensors.js';

export interface BusyWorkerData {
  readonly file: string;
  readonly calls: Int32Array;
}

const { file, calls } = workerData as BusyWorkerData;
const model = new (addon().ScriptModule)(file, 'cpu', 'float32');
const { ids, offsets } = ragged(new Array<number[]>(128).fill(new Array<number>(64).fill(5)));
for (;;) {
  Atomics.add(calls, 0, 1);
  model.logits(ids, offsets, 1);
}
