import { join } from 'node:path';
import { expect } from 'chai';
import { resolveBase } from '../../src/model/base-weights.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { BARS, FLOOR_FACTOR, judgeCell, judgeFlips } from '../bench/rivals/bars.js';
import { floorMs, type Limits, textLengths } from '../bench/rivals/floors.js';
import { operations, weightBytes } from '../bench/rivals/geometry.js';
import { compare, type RowFigures } from '../bench/rivals/measure-row.js';
import { medianOf, type RaceSteps, type Row, race, rowsOf } from '../bench/rivals/race.js';
import { figuresTable, judgeCells, type RowResult } from '../bench/rivals/report.js';
import { countTokens, MEAN_TOKENS, MEDIAN_TOKENS, MOST_TOKENS, makeRaceTexts } from '../bench/rivals/requests.js';
import { competitors } from '../bench/rivals/rivals.js';
import { percentile } from '../bench/statistics.js';

const MINI = { layers: 6, dim: 384, hiddenDim: 1536 };
const LIMITS: Limits = {
  readGBps: { '42467328': 42.467328, '10616832': 42.467328 },
  gops: { float32: 100, int8: null, bfloat16: 400 },
  bareSingleMs: 0.1,
  bareBatchMs: 0.2,
};

function figures(p50Ms: number, rate: number, flips = 0): RowFigures {
  return {
    readySeconds: 1,
    w1: { p50Ms, p95Ms: p50Ms, p99Ms: p50Ms },
    w2: { requestsPerSecond: rate, p95Ms: 1 },
    w3: { textsPerSecond: rate },
    w4: { p50Ms },
    residentMiB: 100,
    agreement: { texts: 10, largest: 0.1, flips },
    others: 0.01,
  };
}

describe('race requests', () => {
  const texts = makeRaceTexts();

  it('are the same each time', () => {
    expect(makeRaceTexts()).to.deep.equal(texts);
    expect(texts.singles).to.have.lengthOf(512);
    expect(texts.batches.map((batch) => batch.length)).to.deep.equal(Array.from({ length: 16 }, () => 32));
    expect(new Set(texts.singles).size).to.be.above(500);
  });

  it('have lengths around a median of 20 and a mean of 25 tokens, at most 128', () => {
    const lengths = [...texts.singles, ...texts.batches.flat()].map(countTokens).sort((a, b) => a - b);
    expect(percentile(lengths, 0.5)).to.be.closeTo(MEDIAN_TOKENS, 2);
    expect(lengths.reduce((sum, one) => sum + one, 0) / lengths.length).to.be.closeTo(MEAN_TOKENS, 2);
    expect(lengths.at(-1)).to.be.at.most(MOST_TOKENS);
  });

  it('are counted as BERT’s tokenizer counts them', async function count() {
    this.timeout(60_000);
    const { dir } = await resolveBase();
    const tokenizer = Tokenizer.load(join(dir, 'tokenizer.json'), 512);
    const all = [...texts.short, ...texts.singles, ...texts.batches.flat()];
    const { offsets } = await tokenizer.encode(all);
    expect(all.filter((text, row) => countTokens(text) !== offsets[row + 1]! - offsets[row]!)).to.deep.equal([]);
  });
});

describe('race floors', () => {
  it('count the bytes of the matrices and the operations of one text', () => {
    expect(weightBytes(MINI, 'float32')).to.equal(6 * 12 * 384 * 384 * 4);
    expect(weightBytes(MINI, 'int8')).to.equal(6 * 12 * 384 * 384);
    // One token: twice the matrices and the head's, and a score and a sum of values in each layer.
    expect(operations(MINI, 1)).to.equal(2 * 6 * 12 * 384 * 384 + 6 * 4 * 384 + 2 * 384 * 384);
    expect(operations(MINI, 100)).to.be.below(100 * operations(MINI, 1) + 6 * 4 * 384 * 100 * 100);
  });

  it('are the larger of reading and computing, and the HTTP around it', () => {
    const lengths = textLengths({ short: ['good'], singles: ['good', 'good'], batches: [['good'], ['good']] });
    const text = operations(MINI, 3) / 100 / 1e6;
    const floor = (cell: 'W1' | 'W2' | 'W3' | 'W4') => floorMs(cell, MINI, 'float32', LIMITS, lengths);
    expect(floor('W1')).to.be.closeTo(1 + 0.1, 1e-9);
    expect(floor('W2')).to.be.closeTo(text + 0.1, 1e-9);
    expect(floor('W3')).to.be.closeTo(32 * text + 0.2, 1e-9);
    expect(floor('W4')).to.be.closeTo(Math.max(1, text) + 0.1, 1e-9);
    expect(floorMs('W1', MINI, 'int8', LIMITS, lengths)).to.equal(undefined);
  });
});

describe('race bars', () => {
  const rivals = [
    { name: 'slow', value: 9 },
    { name: 'fast', value: 3 },
  ];

  it('compare times with the least and rates with the highest', () => {
    expect(judgeCell('W1', 0.6, { ours: 1.8, rivals, limit: undefined })).to.deep.include({
      outcome: 'PASS',
      best: rivals[1],
    });
    expect(judgeCell('W2', 2, { ours: 18, rivals, limit: undefined })).to.deep.include({
      outcome: 'PASS',
      best: rivals[0],
    });
    expect(judgeCell('W1', 0.6, { ours: 1.9, rivals, limit: undefined }).outcome).to.equal('FAIL');
    expect(judgeCell('W3', 2, { ours: 17, rivals, limit: undefined }).outcome).to.equal('FAIL');
  });

  it('let what is near the floor pass', () => {
    expect(judgeCell('W4', 0.6, { ours: FLOOR_FACTOR * 2, rivals, limit: 2 }).outcome).to.equal('PASS');
    expect(judgeCell('W4', 0.6, { ours: 2.6, rivals, limit: 2 }).outcome).to.equal('FAIL');
    expect(judgeCell('W2', 2, { ours: 10, rivals, limit: FLOOR_FACTOR * 10 }).outcome).to.equal('PASS');
    expect(judgeCell('W2', 2, { ours: 9, rivals, limit: FLOOR_FACTOR * 10 }).outcome).to.equal('FAIL');
  });

  it('judge nothing where a figure is missing', () => {
    expect(judgeCell('W1', 0.6, { ours: undefined, rivals, limit: 1 }).outcome).to.equal('-');
    expect(judgeCell('W1', 0.6, { ours: 1, rivals: [], limit: undefined }).outcome).to.equal('-');
  });

  it('want fewer flips than every rival has', () => {
    expect([judgeFlips(1, [2, 5]), judgeFlips(2, [2, 5]), judgeFlips(0, [0]), judgeFlips(0, [])]).to.deep.equal([
      'PASS',
      'FAIL',
      'PASS',
      '-',
    ]);
  });
});

describe('race rows', () => {
  it('give every dtype of every model ours first, and only those asked for', () => {
    const rows = rowsOf(competitors(true), ['mini', 'base'], /^(distilserve|text-embeddings-inference, onnx.*)\/mini/);
    expect(rows.map(({ competitor: { name, dtype }, model }) => `${name} ${model} ${dtype}`)).to.deep.equal([
      'distilserve mini float32',
      'text-embeddings-inference, onnxruntime mini float32',
      'distilserve mini int8',
      'text-embeddings-inference, onnxruntime mini int8',
      'distilserve mini bfloat16',
    ]);
  });

  it('read the answers of text-embeddings-inference', () => {
    const { api } = competitors(true).find(({ name }) => name.startsWith('text-embeddings'))!;
    const labels = [
      { label: 'NEGATIVE', score: 0.2 },
      { label: 'POSITIVE', score: 0.8 },
    ];
    expect(api.batch(['a', 'b'])).to.deep.equal({ inputs: [['a'], ['b']] });
    expect(api.readSingle(labels)).to.deep.equal({ label: 'POSITIVE', confidence: 0.8 });
    expect(api.readBatch([labels])).to.deep.equal([{ label: 'POSITIVE', confidence: 0.8 }]);
  });

  it('run in rounds there and back, a failed one no more', async () => {
    const rows: Row[] = rowsOf(competitors(false), ['mini'], /^(distilserve|transformers\.js)\/mini\/(float32|int8)/);
    const order: string[] = [];
    const steps: RaceSteps = {
      measureLimits: async () => LIMITS,
      measureRow: async ({ competitor: { name, dtype } }, round) => {
        order.push(`${name} ${dtype} ${round}`);
        if (name === 'distilserve' && dtype === 'int8') throw new Error('no such dtype');
        return figures(round + 1, 10);
      },
      onRow: () => {},
    };
    const { records, limits } = await race(rows, 2, steps, new AbortController().signal);
    expect(order).to.deep.equal([
      'distilserve float32 0',
      'transformers.js float32 0',
      'distilserve int8 0',
      'transformers.js int8 0',
      'transformers.js int8 1',
      'transformers.js float32 1',
      'distilserve float32 1',
    ]);
    expect(records.map(({ rounds, failed }) => failed ?? rounds.length)).to.deep.equal([2, 2, 'no such dtype', 2]);
    expect(limits).to.deep.equal(LIMITS);
  });

  it('have the median of each figure, whichever round it is of', () => {
    const rounds = [
      { a: 3, b: { c: 1 }, d: { e: 7 }, f: undefined },
      { a: 1, b: { c: 4 }, d: undefined, f: undefined },
      { a: 2, b: { c: 2 }, d: undefined, f: undefined },
    ];
    expect(medianOf(rounds)).to.deep.equal({ a: 2, b: { c: 2 }, d: { e: 7 }, f: undefined });
    expect(medianOf([4, 1, 2, 3])).to.equal(2.5);
  });

  it('count flips and take the largest difference, of no number too', () => {
    const expected = [
      [0.9, 0.1],
      [0.45, 0.55],
    ];
    const answers = [
      { label: 'NEGATIVE', confidence: 0.88 },
      { label: 'NEGATIVE', confidence: 0.5 },
    ];
    const { flips, largest } = compare(answers, expected, ['NEGATIVE', 'POSITIVE']);
    expect(flips).to.equal(1);
    expect(largest).to.be.closeTo(0.05, 1e-9);
    const odd = [answers[0]!, { label: 'other', confidence: Number.NaN }];
    expect(compare(odd, expected, ['NEGATIVE', 'POSITIVE'])).to.deep.equal({ texts: 2, largest: 1, flips: 1 });
    expect(() => compare([], expected, [])).to.throw('Expected 2 predictions');
  });
});

describe('race report', () => {
  const row = (name: string, ours: boolean, figured: RowFigures | undefined, failed?: string): RowResult => ({
    name,
    model: 'mini',
    dtype: 'float32',
    ours,
    figures: figured,
    failed,
  });

  it('judges each cell of ours against the best rival in it', () => {
    const results = [
      row('distilserve', true, figures(2, 100)),
      row('a', false, figures(4, 10)),
      row('b', false, figures(5, 60)),
    ];
    const lengths = textLengths(makeRaceTexts());
    const cells = judgeCells(results, new Map([['mini', MINI]]), LIMITS, lengths);
    expect(cells.map(({ cell, best, bar, outcome }) => [cell, best?.name, bar, outcome])).to.deep.equal([
      ['W1', 'a', BARS.float32.mini.W1, 'PASS'],
      ['W2', 'b', BARS.float32.mini.W2, 'FAIL'],
      ['W3', 'b', BARS.float32.mini.W3, 'FAIL'],
      ['W4', 'a', BARS.float32.mini.W4, 'PASS'],
    ]);
  });

  it('shows a row without figures as such, with its reason', () => {
    const lines = figuresTable([row('distilserve', true, undefined, 'Expected DTYPE to be float32')]).split('\n');
    expect(lines[1]).to.match(/^distilserve\s+mini\s+float32(\s+-)+$/);
    expect(lines[2]).to.equal('- distilserve, mini, float32: Expected DTYPE to be float32');
  });
});
