import { DistilserveError } from '../../src/domain/errors.js';
import { type EncodedTexts, Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { lengthOf } from './batches.js';
import { type Example, type ExampleColumns, readExamples } from './examples.js';
import { randomNumbers, shuffled } from './random.js';

/** Share of the rows held out where the file has no split column. */
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
 * @throws DistilserveError data_invalid: fewer than two labels, an unknown split, or a text in both splits
 */
export async function loadDataset(file: string, options: DatasetOptions): Promise<Dataset> {
  const { examples, unmapped } = await readExamples(file, options.columns);
  const labels = [...new Set(examples.map((example) => example.label))].sort();
  if (labels.length < 2) {
    throw new DistilserveError('data_invalid', `Expected at least two labels in ${file} but found only '${labels[0]}'`);
  }
  const { train, test } = split(examples, options.seed, file);
  refuseOverlap(train, test, file);
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
      `Expected split train or test in every row of ${file} but found ${unknown?.split ?? 'rows without one'}`,
    );
  }
  if (named.length > 0) {
    const train = examples.filter((example) => example.split === 'train');
    const test = examples.filter((example) => example.split === 'test');
    if (train.length === 0 || test.length === 0) {
      throw new DistilserveError('data_invalid', `Expected rows of both splits, train and test, in ${file}`);
    }
    return { train, test };
  }
  return stratifiedSplit(examples, seed);
}

function stratifiedSplit(examples: readonly Example[], seed: number): { train: Example[]; test: Example[] } {
  const random = randomNumbers(seed);
  const byLabel = new Map<string, Example[]>();
  for (const example of examples) {
    const rows = byLabel.get(example.label);
    if (rows === undefined) byLabel.set(example.label, [example]);
    else rows.push(example);
  }
  const train: Example[] = [];
  const test: Example[] = [];
  for (const label of [...byLabel.keys()].sort()) {
    const rows = shuffled(byLabel.get(label) as Example[], random);
    const held = Math.max(1, Math.round(rows.length * HELD_OUT));
    test.push(...rows.slice(0, held));
    train.push(...rows.slice(held));
  }
  return { train, test };
}

function refuseOverlap(train: readonly Example[], test: readonly Example[], file: string): void {
  const key = (text: string) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim();
  const seen = new Set(train.map((example) => key(example.text)));
  const both = test.find((example) => seen.has(key(example.text)));
  if (both !== undefined) {
    throw new DistilserveError(
      'data_invalid',
      `Expected no text in both splits of ${file} but found '${both.text.slice(0, 80)}'; remove the duplicates`,
    );
  }
}
