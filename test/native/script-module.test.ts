import { join } from 'node:path';
import { expect } from 'chai';
import type { ScriptModule } from '../../src/native/types.js';
import { type DistilBertRecord, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { expectClose, norm, ragged } from '../helpers/tensors.js';
import { openOnCpu, writeTinyDistilBert } from '../helpers/tiny-model.js';

const FLOAT32_TOLERANCE = 1e-5;
const LABELS = 3;
const DIM = 32;

const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
const suite = useSuiteDir();
let model: ScriptModule;

before(async () => {
  const path = join(suite.dir, 'tiny.pt');
  await writeTinyDistilBert(path);
  model = openOnCpu(path);
});
after(() => model.dispose());

function logitsOf(rows: readonly (readonly number[])[], threads = 1): Float32Array {
  const { ids, offsets } = ragged(rows);
  return model.logits(ids, offsets, threads);
}

function softmax(logits: readonly number[], temperature: number): number[] {
  const powers = logits.map((value) => Math.exp(value / temperature));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

describe('ScriptModule#logits()', () => {
  it("gives Hugging Face's logits for each text alone", () => {
    record.ids.forEach((row, index) => {
      expectClose(logitsOf([row]), record.logits[index]!, FLOAT32_TOLERANCE, `logits of '${record.texts[index]}'`);
    });
  });

  it("gives Hugging Face's logits in one batch, where rows are padded", () => {
    expectClose(logitsOf(record.ids), record.logits.flat(), FLOAT32_TOLERANCE);
  });

  it('keeps the order of the rows, whatever their lengths', () => {
    const orders = [
      [...record.ids.keys()].reverse(),
      [...record.ids.keys()].sort((a, b) => record.ids[a]!.length - record.ids[b]!.length),
      [...record.ids.keys()].sort((a, b) => ((a * 7) % 20) - ((b * 7) % 20)),
    ];
    for (const order of orders) {
      const actual = logitsOf(order.map((row) => record.ids[row]!));
      const expected = order.flatMap((row) => record.logits[row]!);
      expectClose(actual, expected, FLOAT32_TOLERANCE, `logits in the order ${order}`);
    }
  });

  it('gives the same row twice in a batch the same logits, however much the others pad it', () => {
    const longest = record.ids.reduce((a, b) => (b.length > a.length ? b : a));
    const rows = [record.ids[0]!, ...new Array<number[]>(40).fill(longest), record.ids[0]!];
    const logits = logitsOf(rows);
    expectClose(logits.slice(0, LABELS), record.logits[0]!, FLOAT32_TOLERANCE);
    expectClose(logits.slice(-LABELS), record.logits[0]!, FLOAT32_TOLERANCE);
  });

  it('gives the same logits with any number of threads', () => {
    expectClose(logitsOf(record.ids, 2), logitsOf(record.ids, 1), FLOAT32_TOLERANCE);
  });

  it('draws no dropout: a second call gives the same bits', () => {
    expect(logitsOf(record.ids)).to.deep.equal(logitsOf(record.ids));
  });

  it('tells the sizes of its embedding tables', () => {
    expect(model.limits).to.deep.equal({ vocabSize: 115, maxLength: 64 });
  });
});

describe('ScriptModule#classify()', () => {
  for (const temperature of [1, 2.5]) {
    it(`is the softmax over the labels of each row, at temperature ${temperature}`, () => {
      const { ids, offsets } = ragged(record.ids);
      const expected = record.logits.flatMap((logits) => softmax(logits, temperature));
      expectClose(model.classify(ids, offsets, temperature, 1), expected, FLOAT32_TOLERANCE, 'probabilities');
    });
  }

  it('sums to 1 in every row', () => {
    const { ids, offsets } = ragged(record.ids);
    const probabilities = model.classify(ids, offsets, 1, 1);
    for (let row = 0; row < record.ids.length; row++) {
      const sum = probabilities.slice(row * LABELS, (row + 1) * LABELS).reduce((total, value) => total + value, 0);
      expect(sum).to.be.closeTo(1, FLOAT32_TOLERANCE);
    }
  });
});

describe('ScriptModule#embed()', () => {
  it("gives sentence-transformers' mean of the hidden states, masked and normalised, alone and in a batch", () => {
    const { ids, offsets } = ragged(record.ids);
    expectClose(model.embed(ids, offsets, 1), record.embeddings.flat(), FLOAT32_TOLERANCE, 'embeddings');
    record.ids.forEach((row, index) => {
      const one = ragged([row]);
      expectClose(model.embed(one.ids, one.offsets, 1), record.embeddings[index]!, FLOAT32_TOLERANCE, 'an embedding');
    });
  });

  it('gives vectors of norm 1', () => {
    const { ids, offsets } = ragged(record.ids);
    const embeddings = model.embed(ids, offsets, 1);
    for (let row = 0; row < record.ids.length; row++) {
      expect(norm(embeddings.slice(row * DIM, (row + 1) * DIM))).to.be.closeTo(1, FLOAT32_TOLERANCE);
    }
  });
});
