/**
 * `npm run tokenizer:check`: the addon's tokenizer beside Hugging Face's core, id for id, and how long each takes.
 *
 * Half of the lines are real texts: each as it is, then slices of them and texts into which something hard to tokenize
 * was put. The other half is random characters. It also makes native/unicode_tables.cc anew and compares.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { resolveBase } from '../../src/model/base-weights.js';
import { runCommand } from '../../src/setup/command.js';
import { integer, readFlags, text } from '../../train/lib/flags.js';
import { randomNumbers } from '../../train/lib/random.js';
import { randomTexts } from '../helpers/bert-tokenizers.js';
import { PROJECT_ROOT } from '../helpers/fixtures.js';
import { unicodeTables } from '../helpers/unicode-tables.js';
import { TokenizerComparison } from './lib/tokenizer-comparison.js';
import { judged, report } from './lib/verdict.js';

const FLAGS = {
  lines: integer(1_000_000, 'Texts to compare', 1),
  data: text('../shared/data', 'Folder of .tsv.gz files with real texts; without it all lines are random'),
  tokenizer: text(undefined, 'A tokenizer.json; the default base model has one'),
  maxLength: integer(256, 'Tokens a text is cut to', 2),
  seed: integer(1, 'Of the slices and of what is random', 0),
};

const SHORTEST_TEXT = 20;

await runCommand(async (signal) => {
  const { lines, data, tokenizer, maxLength, seed } = readFlags(FLAGS, process.argv.slice(2));
  const path = tokenizer ?? join((await resolveBase(undefined, { signal })).dir, 'tokenizer.json');
  const tables = readFileSync(join(PROJECT_ROOT, 'native/unicode_tables.cc'), 'utf8') === unicodeTables();
  report(judged(tables, 'native/unicode_tables.cc', tables ? 'as made anew' : 'others', 'what the core answers'));

  const real = existsSync(data) ? readTexts(data) : [];
  const comparison = new TokenizerComparison(path, maxLength);
  const plain = real.slice(0, lines);
  await comparison.run(plain, signal);
  comparison.print(`${plain.length} real texts as they are`);
  await comparison.run(madeTexts(real, lines - plain.length, seed), signal);
  comparison.print('all');
  const figure = `${comparison.differences} in ${comparison.lines} lines by the ${comparison.implementation}`;
  report(judged(comparison.differences === 0 && comparison.lines === lines, 'tokenizer: other ids', figure, '0'));
});

/** Every field that is long enough to be a text, of every file. */
function readTexts(dir: string): string[] {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tsv.gz'));
  return files.sort().flatMap((name) =>
    gunzipSync(readFileSync(join(dir, name)))
      .toString('utf8')
      .split('\n')
      .flatMap((line) => line.split('\t'))
      .filter((field) => field.length >= SHORTEST_TEXT),
  );
}

function* madeTexts(real: readonly string[], count: number, seed: number): Generator<string> {
  const random = randomNumbers(seed);
  const hard = randomTexts(seed + 1);
  for (let made = 0; made < count; made++) {
    const other = hard.next().value as string;
    if (real.length === 0 || made % 2 === 0) {
      yield other;
      continue;
    }
    const one = real[Math.floor(random() * real.length)]!;
    const [from, to] = [random(), random()].map((part) => Math.floor(part * one.length)).sort((a, b) => a - b);
    const slice = one.slice(from, to);
    const at = Math.floor(random() * slice.length);
    yield made % 4 === 1 ? slice : slice.slice(0, at) + other + slice.slice(at);
  }
}
