/**
 * What the CPU's narrower dtypes cost the classifier: each with each of its kernels against float32 on the same texts. Accuracy,
 * how far the probabilities are from float32's, and how many labels are others. A file that is not there is skipped.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { loadConfig } from '../../src/config.js';
import type { Dtype } from '../../src/domain/types.js';
import { type ModelDir, openModelDir } from '../../src/model/model-dir.js';
import { argmaxRows } from '../../src/model/text-model.js';
import { addon } from '../../src/native/addon.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { type Example, parseLabelMap, readExamples } from '../../train/lib/examples.js';
import { integer, readFlags, text } from '../../train/lib/flags.js';
import { script } from '../../train/lib/script.js';
import { judged, report } from './lib/verdict.js';

const FLAGS = {
  model: text(undefined, "Model directory; the server's unless given"),
  data: text('../shared/data/sentiment/sst2/dev.tsv.gz', 'Labelled texts: .jsonl, .csv or .tsv, also .gz'),
  textColumn: text('sentence', 'Column of the text'),
  labelColumn: text('label', 'Column of the label'),
  labelMap: text('0=negative,1=positive', "Labels as written=the model's; other rows are left out"),
  rows: integer(1000, 'Most texts, from the start of the file', 1),
};

/** Most accuracy that a dtype may lose, and most mean difference of a probability. */
const BARS: Partial<Record<Dtype, { readonly loss: number; readonly meanDifference: number }>> = {
  bfloat16: { loss: 0.003, meanDifference: 0.005 },
  int8: { loss: 0.003, meanDifference: 0.02 },
};
const ROWS_PER_CALL = 32;

await script(async () => {
  const { model, data, rows, ...columns } = readFlags(FLAGS, process.argv.slice(2));
  const check = 'dtypes of the CPU';
  if (!existsSync(data)) {
    report({ outcome: 'SKIP', check, figure: `${data} is not there`, bar: 'accuracy and probabilities' });
    return;
  }
  const source = await openModelDir(model ?? loadConfig([]).modelDir);
  const { examples } = await readExamples(data, { ...columns, labelMap: parseLabelMap(columns.labelMap) });
  await compare(source, examples.slice(0, rows));
});

async function compare(source: ModelDir, examples: readonly Example[]): Promise<void> {
  const { labels } = source.config;
  const batches = await tokenize(source, examples);
  const truth = examples.map(({ label }) => labels.indexOf(label));
  const right = (answers: readonly number[]): number => answers.filter((label, row) => label === truth[row]).length;
  const float32 = probabilities(source, batches, 'float32', 'auto');
  const expected = argmaxRows(float32, labels.length);
  const share = (count: number): string => (count / truth.length).toFixed(4);
  process.stdout.write(`float32: accuracy ${share(right(expected))} of ${truth.length} texts\n`);
  for (const [dtype, bar] of Object.entries(BARS) as [Dtype, NonNullable<(typeof BARS)[Dtype]>][]) {
    for (const { name, whyNot } of addon().listKernels(dtype)) {
      const check = `${dtype}, ${name}, against float32`;
      const bars = `accuracy -${bar.loss}, mean difference ${bar.meanDifference}`;
      if (whyNot !== '') {
        report({ outcome: 'SKIP', check, figure: whyNot, bar: bars });
        continue;
      }
      const found = probabilities(source, batches, dtype, name);
      const answers = argmaxRows(found, labels.length);
      const differences = found.map((value, index) => Math.abs(value - float32[index]!));
      const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
      const largest = differences.reduce((most, value) => Math.max(most, value), 0);
      const flips = answers.filter((label, row) => label !== expected[row]).length;
      const lost = (right(expected) - right(answers)) / truth.length;
      const figure = `accuracy ${share(right(answers))}, mean ${mean.toFixed(5)}, most ${largest.toFixed(4)}, ${flips} other labels`;
      report(judged(lost <= bar.loss && mean <= bar.meanDifference, check, figure, bars));
    }
  }
}

interface Batch {
  readonly ids: Int32Array;
  readonly offsets: Int32Array;
}

async function tokenize(source: ModelDir, examples: readonly Example[]): Promise<Batch[]> {
  const tokenizer = Tokenizer.load(source.tokenizerPath, source.config.maxLength);
  const batches: Batch[] = [];
  for (let start = 0; start < examples.length; start += ROWS_PER_CALL) {
    batches.push(await tokenizer.encode(examples.slice(start, start + ROWS_PER_CALL).map((example) => example.text)));
  }
  return batches;
}

/** [texts, labels] */
function probabilities(source: ModelDir, batches: readonly Batch[], dtype: Dtype, kernels: string): Float32Array {
  const { architecture, temperature } = source.config as Extract<ModelDir['config'], { kind: 'classifier' }>;
  const module = new (addon().ScriptModule)(source.weightsPath, 'cpu', dtype, { architecture, kernels });
  const threads = availableParallelism();
  const parts = batches.map(({ ids, offsets }) => module.classify(ids, offsets, temperature, threads));
  module.dispose();
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
