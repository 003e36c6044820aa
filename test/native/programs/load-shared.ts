/** Prints what the process grows by: the first load of a file, three more, one in a thread, and one of another file. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { addon } from '../../../src/native/addon.js';
import { ragged } from '../../helpers/tensors.js';
import type { LogitsWorkerData } from './logits-worker.js';

const [file, copy] = process.argv.slice(2) as [string, string];
const batch = ragged([[2, 5, 6, 3]]);
const held: unknown[] = [];

function load(path: string): void {
  const model = new (addon().ScriptModule)(path, 'cpu', 'float32');
  model.embed(batch.ids, batch.offsets, 1);
  held.push(model);
}

async function growth(action: () => void | Promise<void>): Promise<number> {
  global.gc!();
  const before = process.memoryUsage.rss();
  await action();
  global.gc!();
  return process.memoryUsage.rss() - before;
}

addon().listDevices();
const first = await growth(() => load(file));
const again = await growth(() => {
  for (let count = 0; count < 3; count++) load(file);
});
const inThread = await growth(async () => {
  const start = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const workerData: LogitsWorkerData = { file, ...batch, start, calls: 1 };
  const worker = new Worker(new URL('./logits-worker.js', import.meta.url), { workerData });
  await once(worker, 'message');
  await once(worker, 'exit');
});
const other = await growth(() => load(copy));
process.stdout.write(JSON.stringify({ first, again, inThread, other, held: held.length }));
