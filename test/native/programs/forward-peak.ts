/** Prints how much the largest size of the process rose during one forward of many rows. */
import { addon } from '../../../src/native/addon.js';
import { ragged } from '../../helpers/tensors.js';

const model = new (addon().ScriptModule)(process.argv[2] as string, 'cpu', 'float32');
const small = ragged([[2, 5, 6, 3]]);
model.logits(small.ids, small.offsets, 1);
const large = ragged(new Array<number[]>(1024).fill(new Array<number>(64).fill(5)));
const before = process.resourceUsage().maxRSS;
model.logits(large.ids, large.offsets, 1);
process.stdout.write(JSON.stringify({ peak: (process.resourceUsage().maxRSS - before) * 1024 }));
