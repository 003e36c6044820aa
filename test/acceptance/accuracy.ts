/**
 * How right the classifier is on real texts that no one of this project wrote: `npm run evaluate` on each of the files, its
 * figure held against the bar. A file that is not there is skipped. `--data` and its columns replace the files.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../src/config.js';
import { runCommand } from '../../src/setup/command.js';
import { number, readFlags, text } from '../../train/lib/flags.js';
import { runScript } from './lib/run.js';
import { judged, report } from './lib/verdict.js';

const FLAGS = {
  dataDir: text('../shared/data/sentiment', 'Folder of customer_reviews/ and sst2/'),
  data: text(undefined, 'Another file instead: .jsonl, .csv or .tsv, also .gz'),
  textColumn: text('text', 'Column of the text in --data'),
  labelColumn: text('label', 'Column of the label in --data'),
  labelMap: text('negative=negative,positive=positive', "Labels of --data=the model's; other rows are left out"),
  bar: number(0.8, 'Least accuracy on --data', 0, 1),
};

interface DataSet {
  readonly name: string;
  readonly file: string;
  readonly textColumn: string;
  readonly labelColumn: string;
  readonly labelMap: string;
  /** Least accuracy, 0 to 1. */
  readonly bar: number;
}

await runCommand(async (signal) => {
  const { dataDir, data, ...columns } = readFlags(FLAGS, process.argv.slice(2));
  const sets: DataSet[] = data === undefined ? heldOut(dataDir) : [{ name: data, file: data, ...columns }];
  for (const set of sets) await evaluate(set, signal);
});

function heldOut(dir: string): DataSet[] {
  return [
    {
      name: 'customer_reviews/cr',
      file: join(dir, 'customer_reviews/cr.tsv.gz'),
      textColumn: 'text',
      labelColumn: 'label',
      labelMap: 'negative=negative,positive=positive',
      bar: 0.86,
    },
    {
      name: 'sst2/dev',
      file: join(dir, 'sst2/dev.tsv.gz'),
      textColumn: 'sentence',
      labelColumn: 'label',
      labelMap: '0=negative,1=positive',
      bar: 0.8,
    },
  ];
}

async function evaluate(
  { name, file, textColumn, labelColumn, labelMap, bar }: DataSet,
  signal: AbortSignal,
): Promise<void> {
  const check = `accuracy on ${name}`;
  const least = `at least ${bar.toFixed(2)}`;
  if (!existsSync(file)) {
    report({ outcome: 'SKIP', check, figure: `${file} is not there`, bar: least });
    return;
  }
  const columns = ['--text-column', textColumn, '--label-column', labelColumn, '--label-map', labelMap];
  const model = loadConfig([]).modelDir;
  const args = ['--model', model, '--data', file, ...columns];
  const { code, output } = await runScript('train/evaluate.js', args, signal);
  const [, printed, rows] = /^accuracy (\d\.\d+) .* rows (\d+)$/m.exec(output) ?? [];
  if (code !== 0 || printed === undefined) {
    report(judged(false, check, `evaluate ended with ${code}`, least));
    return;
  }
  // The figure is printed rounded; up to 10,000 rows the count behind it is certain.
  const right = Math.round(Number(printed) * Number(rows));
  report(judged(right >= bar * Number(rows), check, `${printed} (${right} of ${rows} rows)`, least));
}
