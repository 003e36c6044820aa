import { DistilserveError, messageOf } from '../../src/domain/errors.js';
import { sha256File } from '../../src/model/files.js';
import { type EncodedTexts, Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { lengthOf } from './batches.js';
import { type Example, type ExampleColumns, readExamples } from './examples.js';
import { randomNumbers, shuffled } from './random.js';

/** Share of each label's texts held out where the file has no split column. */
const HELD_OUT = 0.1;

/** Tokenized training and held-out rows. */
export interface Dataset {
  /** Class names by index, in alphabetical order. */
  readonly labels: string[];
  readonly train: EncodedTexts;
  readonly trainLabels: Int32Array;
  /** Tokens of each training row. */
  readonly lengths: number[];
  readonly test: EncodedTexts;
  readonly testLabels: Int32Array;
  /** Of the file, taken before its rows were read: it may be replaced while training. */
  readonly sha256: string;
  /** One line for people: rows, labels, truncated texts. */
  readonly summary: string;
}

export interface DatasetOptions {
  readonly columns: ExampleColumns;
  readonly tokenizerPath: string;
  readonly maxLength: number;
  /** Draws the held-out rows where the file does not name them. */
  readonly seed: number;
}

/**
 * Reads a file of labelled texts, holds rows out (those of its split `test`, else a stratified tenth) and tokenizes.
 *
 * @throws DistilserveError data_invalid: fewer than two labels, a label without training rows, an unknown split, or a
 *   text in both splits
 */
export async function loadDataset(file: string, options: DatasetOptions): Promise<Dataset> {
  const sha256 = await sha256File(file).catch((error: unknown) => {
    throw new DistilserveError('data_invalid', `Expected a readable file: ${messageOf(error)}`);
  });
  const { examples, unmapped } = await readExamples(file, options.columns);
  const labels = [...new Set(examples.map((example) => example.label))].sort();
  if (labels.length < 2) {
    throw new DistilserveError(
      'data_invalid',
      `Expected at least two labels in ${file} but found only ${JSON.stringify(labels[0])}`,
    );
  }
  const { train, test } = split(examples, options.seed, file);
  refuseUntrained(labels, train, file);
  const tokenizer = Tokenizer.load(options.tokenizerPath, options.maxLength);
  const encodedTrain = await tokenizer.encode(train.map((example) => example.text));
  const encodedTest = await tokenizer.encode(test.map((example) => example.text));
  const truncated = [...encodedTrain.truncated, ...encodedTest.truncated].filter(Boolean).length;
  return {
    labels,
    train: encodedTrain,
    trainLabels: labelIndices(train, labels),
    lengths: train.map((_, row) => lengthOf(encodedTrain, row)),
    test: encodedTest,
    testLabels: labelIndices(test, labels),
    sha256,
    summary:
      `read ${examples.length + unmapped} rows of ${file}: ${train.length} to train on, ${test.length} held out, ` +
      `${unmapped} left out by --label-map, ${truncated} cut to ${options.maxLength} tokens; labels ${labels.join(', ')}`,
  };
}

function labelIndices(examples: readonly Example[], labels: readonly string[]): Int32Array {
  return Int32Array.from(examples, (example) => labels.indexOf(example.label));
}

function split(examples: readonly Example[], seed: number, file: string): { train: Example[]; test: Example[] } {
  const named = examples.filter((example) => example.split !== undefined);
  const unknown = named.find((example) => example.split !== 'train' && example.split !== 'test');
  if (unknown !== undefined || (named.length > 0 && named.length < examples.length)) {
    throw new DistilserveError(
      'data_invalid',
      `Expected split train or test in every row of ${file} but found ${unknown === undefined ? 'rows without one' : JSON.stringify(unknown.split)}`,
    );
  }
  if (named.length > 0) {
    const train = examples.filter((example) => example.split === 'train');
    const test = examples.filter((example) => example.split === 'test');
    if (train.length === 0 || test.length === 0) {
      throw new DistilserveError('data_invalid', `Expected rows of both splits, train and test, in ${file}`);
    }
    refuseOverlap(train, test, file);
    return { train, test };
  }
  return stratifiedSplit(examples, seed);
}

/** Holds out a tenth of each label's different texts; rows of one text stay together, under the label of the first. */
function stratifiedSplit(examples: readonly Example[], seed: number): { train: Example[]; test: Example[] } {
  const random = randomNumbers(seed);
  const texts = groupBy(examples, (example) => textKey(example.text));
  const byLabel = groupBy(texts.values(), ([first]) => (first as Example).label);
  const train: Example[] = [];
  const test: Example[] = [];
  for (const label of [...byLabel.keys()].sort()) {
    const groups = shuffled(byLabel.get(label) as Example[][], random);
    const held = Math.max(1, Math.round(groups.length * HELD_OUT));
    test.push(...groups.slice(0, held).flat());
    train.push(...groups.slice(held).flat());
  }
  return { train, test };
}

function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** The same for texts that differ in case and punctuation only; a text of nothing else (`:)`) is its own. */
function textKey(text: string): string {
  const words = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  return words === '' ? text : words;
}

function refuseOverlap(train: readonly Example[], test: readonly Example[], file: string): void {
  const seen = new Set(train.map((example) => textKey(example.text)));
  const both = test.find((example) => seen.has(textKey(example.text)));
  if (both !== undefined) {
    throw new DistilserveError(
      'data_invalid',
      `Expected no text in both splits of ${file} but found '${both.text.slice(0, 80)}'; remove the duplicates`,
    );
  }
}

function refuseUntrained(labels: readonly string[], train: readonly Example[], file: string): void {
  const trained = new Set(train.map((example) => example.label));
  const untrained = labels.find((label) => !trained.has(label));
  if (untrained !== undefined) {
    throw new DistilserveError(
      'data_invalid',
      `Expected rows of every label to train on but all of ${JSON.stringify(untrained)} in ${file} are held out (at least one text of each label is); add rows, or leave the label out with --label-map`,
    );
  }
}
