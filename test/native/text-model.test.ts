import { join } from 'node:path';
import { expect } from 'chai';
import { openModelDir } from '../../src/model/model-dir.js';
import { TextModel } from '../../src/model/text-model.js';
import { type DistilBertRecord, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { saveTinyClassifier, TINY_LABELS } from '../helpers/tiny-model.js';

const CPU = { device: 'cpu', dtype: 'float32' } as const;
const TOLERANCE = 1e-5;

function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

describe('TextModel#classify()', () => {
  const suite = useSuiteDir();
  const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
  const expected = record.logits.map((logits) => {
    const probabilities = softmax(logits);
    const confidence = Math.max(...probabilities);
    return { label: TINY_LABELS[probabilities.indexOf(confidence)], confidence };
  });
  let model: TextModel;

  before(async () => {
    await saveTinyClassifier(join(suite.dir, 'tiny'));
    model = TextModel.load(await openModelDir(join(suite.dir, 'tiny')), CPU);
  });
  after(() => model.close());

  it('gives every text of a batch the label of its own largest logit', async () => {
    const { results } = await model.classify(record.texts, 1);
    expect(new Set(expected.map(({ label }) => label)).size, 'labels that the record shows').to.be.above(1);
    expect(results.map(({ label }) => label)).to.deep.equal(expected.map(({ label }) => label));
  });

  it('gives every text the softmax probability of the label it returns', async () => {
    const { results } = await model.classify(record.texts, 1);
    for (const [row, result] of results.entries()) {
      expect(result.confidence).to.be.closeTo(expected[row]?.confidence as number, TOLERANCE);
    }
  });

  it('divides the logits by the temperature of config.json', async () => {
    await saveTinyClassifier(join(suite.dir, 'warm'), { config: { temperature: 2.5 } });
    const warm = TextModel.load(await openModelDir(join(suite.dir, 'warm')), CPU);
    const { results } = await warm.classify(record.texts, 1);
    warm.close();
    for (const [row, result] of results.entries()) {
      const cooled = softmax((record.logits[row] as number[]).map((logit) => logit / 2.5));
      expect(result.confidence).to.be.closeTo(Math.max(...cooled), TOLERANCE);
    }
  });

  it('answers a text the same alone and in a batch in any order', async () => {
    const backwards = [...record.texts].reverse();
    const { results } = await model.classify(backwards, 1);
    for (const [row, text] of backwards.entries()) {
      const alone = (await model.classify([text], 1)).results[0];
      expect(results[row]?.label).to.equal(alone?.label);
      expect(results[row]?.confidence).to.be.closeTo(alone?.confidence as number, TOLERANCE);
    }
  });

  it('refuses weights whose logits are not as many as the labels of config.json', async () => {
    await saveTinyClassifier(join(suite.dir, 'labels'), { config: { labels: ['no', 'yes'] } });
    const wrong = TextModel.load(await openModelDir(join(suite.dir, 'labels')), CPU);
    const error = await wrong.classify(['a text'], 1).catch((caught: unknown) => caught);
    wrong.close();
    expect(error).to.have.property('code', 'model_invalid');
    expect(error).to.have.property('message').that.includes('Expected 2 logits a text');
  });

  it('refuses a max_length beyond the position embeddings', async () => {
    await saveTinyClassifier(join(suite.dir, 'long'), { config: { maxLength: 100_000 } });
    const source = await openModelDir(join(suite.dir, 'long'));
    expect(() => TextModel.load(source, CPU)).to.throw('Expected max_length of at most');
  });
});
