import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Layer } from '../bench/layers.js';
import { isaOf } from '../bench/machine.js';
import { difference, measure } from '../bench/measure.js';
import { figuresOf, percentile, table } from '../bench/statistics.js';
import { mixedLengths, textOfTokens, type Workload } from '../bench/workloads.js';

const positive = { label: 'positive', confidence: 0.9 };

describe('bench statistics', () => {
  it('takes percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, at) => at + 1);
    expect([0.5, 0.95, 0.99, 1].map((share) => percentile(hundred, share))).to.deep.equal([50, 95, 99, 100]);
    expect(percentile([7], 0.5)).to.equal(7);
    expect(() => percentile([], 0.5)).to.throw('at least one value');
  });

  it('sorts latencies and counts texts, not requests, a second', () => {
    expect(figuresOf([30, 10, 20], 32, 2000)).to.deep.equal({
      requests: 3,
      p50Ms: 20,
      p95Ms: 30,
      p99Ms: 30,
      textsPerSecond: 48,
    });
  });

  it('aligns names left and figures right', () => {
    const rows = [
      ['', 'ms'],
      ['pool', '7.5'],
      ['a', '120.0'],
    ];
    expect(table(rows, 1)).to.equal('         ms\npool    7.5\na     120.0');
  });
});

describe('bench workloads', () => {
  it('builds a text of exactly so many tokens, leaving out words that are too long', async () => {
    const count = async (text: string) => 2 + text.replaceAll(' ', '').length;
    expect(await textOfTokens(['aa', 'bbb', 'cccc', 'd'], 8, count)).to.equal('aa bbb d');
    const error = await textOfTokens(['aa'], 8, count).catch((reason: Error) => reason.message);
    expect(error).to.match(/words enough for a text of 8 tokens/);
  });

  it('mixes lengths from the shortest to the longest, the same ones each time', () => {
    const texts = Array.from({ length: 100 }, (_, at) => 'x'.repeat(100 - at));
    const mixed = mixedLengths(texts, 10);
    const lengths = mixed.map((text) => text.length);
    expect([...lengths].sort((a, b) => a - b)).to.deep.equal([1, 12, 23, 34, 45, 56, 67, 78, 89, 100]);
    expect(lengths).not.to.deep.equal([...lengths].sort((a, b) => a - b));
    expect(mixedLengths(texts, 10)).to.deep.equal(mixed);
  });
});

describe('bench machine', () => {
  it('reads instruction sets from /proc/cpuinfo of x86 and of ARM', () => {
    const x86 = 'processor\t: 0\nflags\t\t: fpu sse2 avx2 fma avx512f avx512_vnni avx512_bf16 amx_tile\nbugs\t\t: x\n';
    expect(isaOf(x86)).to.deep.equal(['avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_tile']);
    expect(isaOf('Features\t: fp asimd asimddp i8mm bf16 sve\n')).to.deep.equal([
      'asimd',
      'asimddp',
      'i8mm',
      'bf16',
      'sve',
    ]);
    expect(isaOf('vendor_id : other\n')).to.deep.equal([]);
  });
});

describe('bench measure()', () => {
  const workload: Workload = { name: 'two', kind: 'batch', texts: ['a', 'b'], concurrency: 3 };
  const layerOf = (answer: () => Promise<(typeof positive)[]>, synchronous = false): Layer => ({
    name: 'stand-in',
    synchronous,
    prepare: async () => answer,
    close: async () => {},
  });
  const answerSoon = async () => {
    await sleep(1);
    return [positive, positive];
  };

  it('counts every request sent after the warm-up, and its texts', async () => {
    let [running, most, calls] = [0, 0, 0];
    const layer = layerOf(async () => {
      calls++;
      most = Math.max(most, ++running);
      const answers = await answerSoon();
      running--;
      return answers;
    });
    const cell = await measure(layer, workload, 0.05, [positive, positive], 1e-5);
    expect(most).to.equal(3);
    expect(cell.sent).to.equal(cell.requests).and.to.be.above(3);
    // The others were the warm-up's.
    expect(calls).to.be.above(cell.sent);
    expect(cell.wrong).to.equal(undefined);
    expect(cell.textsPerSecond)
      .to.be.above(0)
      .and.at.most((cell.requests * 2) / 0.05);
  });

  it('gives a blocking layer what is on its way together as one call', async () => {
    const six = async () => {
      await sleep(1);
      return Array.from({ length: 6 }, () => positive);
    };
    const cell = await measure(layerOf(six, true), workload, 0.02, [positive, positive], 1e-5);
    expect(cell.wrong).to.equal(undefined);
  });

  it('keeps the first wrong answer', async () => {
    let calls = 0;
    const layer = layerOf(async () => {
      await sleep(1);
      return ++calls === 5 ? [positive, { label: 'negative', confidence: 0.9 }] : [positive, positive];
    });
    const { wrong } = await measure(layer, workload, 0.05, [positive, positive], 1e-5);
    expect(wrong).to.equal('text 1 got negative 0.9 but alone positive 0.9');
  });

  it('fails with the first request that fails', async () => {
    const layer = layerOf(async () => Promise.reject(new Error('Expected status 200 but received 429')));
    const error = await measure(layer, workload, 0.01, [], 1e-5).catch((reason: Error) => reason.message);
    expect(error).to.equal('Expected status 200 but received 429');
  });
});

describe('bench difference()', () => {
  it('sees another label, another confidence, NaN and another number of answers', () => {
    const got = (label: string, confidence: number) => difference([{ label, confidence }], [positive], 1e-5);
    expect(got('positive', 0.900009)).to.equal(undefined);
    expect(got('positive', 0.90002)).to.match(/^text 0 got positive 0.90002/);
    expect(got('negative', 0.9)).to.match(/^text 0 got negative/);
    expect(got('positive', Number.NaN)).to.match(/^text 0 got positive NaN/);
    expect(difference([positive], [positive, positive], 1e-5)).to.equal('1 answers to 2 texts');
  });
});
