/** Ends threads in the middle of a call, again and again, and says whether the main thread's model still answers. */
import { setTimeout } from 'node:timers/promises';
import { addon } from '../../../src/native/addon.js';
import { ragged } from '../../helpers/tensors.js';
import { startBusyThread } from './busy.js';

const file = process.argv[2] as string;
const model = new (addon().ScriptModule)(file, 'cpu', 'float32');
const { ids, offsets } = ragged([[2, 5, 6, 3]]);
const before = model.logits(ids, offsets, 1);
let terminated = 0;
for (let round = 0; round < 6; round++) {
  const threads = [startBusyThread(file), startBusyThread(file)];
  await Promise.all(threads.map((thread) => thread.computing()));
  await setTimeout(round * 3);
  for (const { worker } of threads) {
    // Node's code for a thread that was terminated; one that crashed or failed would have another.
    if ((await worker.terminate()) === 1) terminated++;
  }
}
const same = model.logits(ids, offsets, 1).every((value, index) => value === before[index]);
process.stdout.write(JSON.stringify({ same, terminated }));
