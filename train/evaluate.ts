/** `npm run evaluate`: how well a saved classifier does on a file of labelled texts. */
import { availableParallelism } from 'node:os';
import { DistilserveError } from '../src/domain/errors.js';
import { openModelDir } from '../src/model/model-dir.js';
import { TextModel } from '../src/model/text-model.js';
import { choosePlacement } from '../src/native/placement.js';
import { parseLabelMap, readExamples } from './lib/examples.js';
import { integer, readFlags, text } from './lib/flags.js';
import { classificationMetrics, confusionTable } from './lib/metrics.js';
import { Progress } from './lib/progress.js';
import { script } from './lib/script.js';

const FLAGS = {
  model: text('models/sentiment', 'Model directory'),
  data: text(undefined, 'Labelled texts: .jsonl, .csv or .tsv, also .gz'),
  textColumn: text('text', 'Column of the text'),
  labelColumn: text('label', 'Column of the label'),
  labelMap: text(undefined, "Labels as written=the model's, comma-separated; other rows are left out"),
  device: text('auto', 'auto, cpu or cuda:N'),
  dtype: text('auto', 'auto, float32, bfloat16, float16 or int8'),
  threads: integer(availableParallelism(), 'Threads to compute with', 1, 1024),
};

const ROWS_PER_CALL = 64;

await script(async () => {
  const flags = readFlags(FLAGS, process.argv.slice(2));
  if (flags.data === undefined) throw new DistilserveError('invalid_config', 'Expected --data FILE');
  const source = await openModelDir(flags.model as string);
  const { kind, labels } = source.config;
  if (kind !== 'classifier') {
    throw new DistilserveError('model_invalid', `Expected a classifier but --model ${flags.model} is an encoder`);
  }
  const { examples, unmapped } = await readExamples(flags.data, {
    textColumn: flags.textColumn as string,
    labelColumn: flags.labelColumn as string,
    labelMap: parseLabelMap(flags.labelMap),
  });
  const unknown = examples.find((example) => !labels.includes(example.label));
  if (unknown !== undefined) {
    throw new DistilserveError(
      'data_invalid',
      `Expected labels of the model (${labels.join(', ')}) but ${flags.data} has ${JSON.stringify(unknown.label)}; translate with --label-map`,
    );
  }
  const { placement } = choosePlacement(flags.device as string, flags.dtype as string);
  const model = TextModel.load(source, placement);
  // Longest first: rows of a call are of similar length, and memory shows its peak at once.
  const order = [...examples].sort((a, b) => b.text.length - a.text.length);
  const predicted: number[] = [];
  let truncated = 0;
  await Progress.during(order.length, 'evaluate {bar} {value}/{total}', async (progress) => {
    for (let start = 0; start < order.length; start += ROWS_PER_CALL) {
      const texts = order.slice(start, start + ROWS_PER_CALL).map((example) => example.text);
      const { results } = await model.classify(texts, flags.threads);
      predicted.push(...results.map((result) => labels.indexOf(result.label)));
      truncated += results.filter((result) => result.truncated).length;
      await progress.step({}, texts.length);
    }
  });
  model.close();
  const metrics = classificationMetrics(
    order.map((example) => labels.indexOf(example.label)),
    predicted,
    labels.length,
  );
  process.stdout.write(
    `model ${source.digest.slice(0, 12)} on ${flags.data}: ${examples.length + unmapped} rows read, ${unmapped} left out by --label-map, ${truncated} cut to ${source.config.maxLength} tokens\n` +
      `accuracy ${metrics.accuracy.toFixed(4)}  macro-F1 ${metrics.macroF1.toFixed(4)}  rows ${metrics.rows}\n` +
      `${confusionTable(labels, metrics.confusion)}\n`,
  );
});
