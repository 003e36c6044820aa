/** Prints how much the process grew between the 100th and the 1,000th load, call and disposal of a model. */
import { addon } from '../../../src/native/addon.js';
import { ragged } from '../../helpers/tensors.js';

const file = process.argv[2] as string;
const { ids, offsets } = ragged([[2, 5, 6, 3]]);

function loads(count: number): number {
  for (let load = 0; load < count; load++) {
    const model = new (addon().ScriptModule)(file, 'cpu', 'float32');
    model.logits(ids, offsets, 1);
    model.dispose();
  }
  global.gc!();
  return process.memoryUsage.rss();
}

const before = loads(100);
process.stdout.write(JSON.stringify({ growth: loads(900) - before }));
