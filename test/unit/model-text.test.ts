import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openModelDir } from '../../src/model/model-dir.js';
import { argmaxRows, TextModel } from '../../src/model/text-model.js';
import { addon } from '../../src/native/addon.js';
import { type DistilBertRecord, readFixture } from '../helpers/fixtures.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';
import { expectClose } from '../helpers/tensors.js';
import { saveTinyClassifier, TINY_LABELS, tinyDistilBert } from '../helpers/tiny-model.js';

const CPU = { device: 'cpu', dtype: 'float32' } as const;
const TOLERANCE = 1e-5;

const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
const scratch = useScratch();
let path: string;
beforeEach(() => {
  path = join(scratch.dir, 'model');
});

function probabilities(logits: readonly number[], temperature: number): number[] {
  const powers = logits.map((value) => Math.exp(value / temperature));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

async function load(options: Parameters<typeof saveTinyClassifier>[1] = {}): Promise<TextModel> {
  await saveTinyClassifier(path, options);
  return TextModel.load(await openModelDir(path), CPU);
}

describe('TextModel#classify()', () => {
  for (const temperature of [1, 3]) {
    it(`gives the likeliest label and its own probability, at temperature ${temperature}`, async () => {
      const model = await load({ config: { temperature } });
      const { results, tokens } = await model.classify(record.texts, 1);
      const expected = record.logits.map((logits) => probabilities(logits, temperature));
      const best = expected.map((row) => row.indexOf(Math.max(...row)));
      expect(new Set(best).size, 'labels among the recorded texts').to.equal(TINY_LABELS.length);
      expect(results.map(({ label }) => label)).to.deep.equal(best.map((label) => TINY_LABELS[label]));
      expectClose(
        results.map(({ confidence }) => confidence),
        expected.map((row) => Math.max(...row)),
        TOLERANCE,
        'confidences',
      );
      expect(tokens).to.equal(record.ids.flat().length);
      model.close();
    });
  }

  it('takes the labels in the order of their ids, from the configuration', async () => {
    const model = await load({ config: { labels: ['a', 'b', 'c'] } });
    const { results } = await model.classify(record.texts, 1);
    const best = record.logits.map((row) => 'abc'[row.indexOf(Math.max(...row))]);
    expect(results.map(({ label }) => label)).to.deep.equal(best);
    model.close();
  });

  it('cuts texts to max_length and says so', async () => {
    const model = await load({ config: { maxLength: 12 } });
    const { results, tokens } = await model.classify(record.texts, 1);
    expect(results.map(({ truncated }) => truncated)).to.deep.equal(record.ids.map((row) => row.length > 12));
    expect(tokens).to.equal(record.idsCutTo12.flat().length);
    model.close();
  });

  it('refuses to answer out of weights that are not finite', async () => {
    const { architecture, weights } = await tinyDistilBert();
    const file = join(scratch.dir, 'diverged.safetensors');
    const bytes = readFileSync(weights[0]!.file);
    // Finite as a saved weight must be, and too large for the logits to be.
    for (const { begin, end } of weights.filter(({ name }) => /^(pre_classifier.bias|classifier.weight)$/.test(name))) {
      for (let at = begin; at < end; at += 4) bytes.writeFloatLE(1e38, at);
    }
    writeFileSync(file, bytes);
    await saveTinyClassifier(path);
    const source = await openModelDir(path);
    const weightsPath = join(scratch.dir, 'diverged.pt');
    const diverged = weights.map((tensor) => ({ ...tensor, file }));
    addon().writeModel(architecture, diverged, 0, weightsPath);
    const model = TextModel.load({ ...source, weightsPath }, CPU);
    expect((await rejection(model.classify(['good'], 1), 'model_invalid')).message).to.include(source.dir);
    model.close();
  });

  it('says that an encoder has no labels', async () => {
    const model = await load({ config: { kind: 'encoder', labels: [] } });
    await rejection(model.classify(['good'], 1), 'invalid_argument');
    model.close();
  });
});

describe('TextModel#embed()', () => {
  it("gives sentence-transformers' embeddings, one after another", async () => {
    const model = await load();
    const { vectors, truncated } = await model.embed(record.texts, 1);
    expectClose(vectors, record.embeddings.flat(), TOLERANCE, 'embeddings');
    expect(truncated).to.deep.equal(record.texts.map(() => false));
    model.close();
  });
});

describe('TextModel#close()', () => {
  it('may be called twice, and makes later calls throw disposed', async () => {
    const model = await load();
    model.close();
    model.close();
    await rejection(model.classify(['good'], 1), 'disposed');
    await rejection(model.embed(['good'], 1), 'disposed');
  });
});

describe('TextModel.load()', () => {
  it('refuses a tokenizer with more ids than the model has embeddings', async () => {
    await saveTinyClassifier(path);
    const source = await openModelDir(path);
    const tokenizer = JSON.parse(readFileSync(source.tokenizerPath, 'utf8')) as {
      model: { vocab: Record<string, number> };
    };
    tokenizer.model.vocab.stranger = Object.keys(tokenizer.model.vocab).length;
    const tokenizerPath = join(scratch.dir, 'tokenizer.json');
    writeFileSync(tokenizerPath, JSON.stringify(tokenizer));
    expect(() => TextModel.load({ ...source, tokenizerPath }, CPU)).to.throw(/115 ids.*116/);
  });

  it('refuses a max_length beyond the position embeddings', async () => {
    await saveTinyClassifier(path, { config: { maxLength: 65 } });
    const source = await openModelDir(path);
    expect(() => TextModel.load(source, CPU)).to.throw(/max_length of at most 64.*65/);
  });

  it('says that labels and logits do not match, rather than answer with a wrong label', async () => {
    await saveTinyClassifier(path, { config: { labels: ['negative', 'positive'] } });
    const model = TextModel.load(await openModelDir(path), CPU);
    expect((await rejection(model.classify(['good'], 1), 'model_invalid')).message).to.include('2 logits');
    model.close();
  });

  it('says which file it cannot read', async () => {
    await saveTinyClassifier(path);
    const source = await openModelDir(path);
    expect(existsSync(source.weightsPath)).to.equal(true);
    const absent = join(scratch.dir, 'absent');
    expect(() => TextModel.load({ ...source, tokenizerPath: absent }, CPU)).to.throw(absent);
    expect(() => TextModel.load({ ...source, weightsPath: absent }, CPU)).to.throw(absent);
  });
});

describe('argmaxRows()', () => {
  it('gives the largest of each row, the first of equal ones', () => {
    const logits = Float32Array.from([0, 1, -1, -3, -2, -2, 5, 5, 5]);
    expect(argmaxRows(logits, 3)).to.deep.equal([1, 1, 0]);
  });
});
