import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readHuggingFace } from '../../src/model/hugging-face.js';
import { parseConfigJson } from '../../src/model/model-config.js';
import { fixture } from '../helpers/fixtures.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();

function copyOf(name: string): string {
  const dir = join(scratch.dir, name);
  cpSync(fixture(name), dir, { recursive: true });
  return dir;
}

function changeConfig(dir: string, change: object): void {
  const file = join(dir, 'config.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }));
}

describe('readHuggingFace()', () => {
  it('reads a DistilBERT, and leaves its head out', async () => {
    const { architecture, weights, maxLength, weightsSha256 } = await readHuggingFace(fixture('distilbert-tiny'));
    expect(architecture).to.deep.equal({
      nLayers: 2,
      dim: 32,
      nHeads: 4,
      hiddenDim: 64,
      vocabSize: 115,
      maxPositionEmbeddings: 64,
      padTokenId: 0,
      numLabels: 0,
      dropout: 0.1,
      attentionDropout: 0.1,
      seqClassifDropout: 0.2,
      layerNormEps: 1e-12,
      activation: 'gelu',
    });
    expect(weights).to.have.length(36);
    for (const { name } of weights) expect(name).to.match(/^distilbert\./);
    expect(maxLength).to.equal(64);
    expect(weightsSha256).to.match(/^[0-9a-f]{64}$/);
  });

  it("reads a BERT under DistilBERT's names, token types kept and pooler left out", async () => {
    const { architecture, weights } = await readHuggingFace(fixture('bert-tiny'));
    expect(architecture).to.deep.include({ nLayers: 2, dim: 32, hiddenDim: 64, layerNormEps: 1e-6 });
    const distilbert = await readHuggingFace(fixture('distilbert-tiny'));
    const expected = [...distilbert.weights.map(({ name }) => name), 'token_type_embeddings'];
    expect(weights.map(({ name }) => name)).to.have.members(expected);
  });

  it("takes sentence-transformers' max_seq_length, at most the position embeddings", async () => {
    const dir = copyOf('bert-tiny');
    for (const [said, expected] of [
      [16, 16],
      [256, 64],
    ]) {
      writeFileSync(join(dir, 'sentence_bert_config.json'), JSON.stringify({ max_seq_length: said }));
      expect((await readHuggingFace(dir)).maxLength).to.equal(expected);
    }
  });

  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) {
    it(`names ${name} when it is missing`, async () => {
      const dir = copyOf('distilbert-tiny');
      rmSync(join(dir, name));
      expect((await rejection(readHuggingFace(dir), 'model_missing')).message).to.include(join(dir, name));
    });
  }

  const configs: [string, object, string][] = [
    ['of another family', { model_type: 'roberta' }, '"roberta"'],
    ['without a family', { model_type: undefined }, 'model_type'],
    ['without its size', { dim: undefined }, 'dim'],
    ['whose size is no number', { n_layers: '2' }, 'n_layers'],
    ['of another activation', { activation: 'silu' }, 'silu'],
  ];
  for (const [what, change, named] of configs) {
    it(`refuses a model ${what}, naming it`, async () => {
      const dir = copyOf('distilbert-tiny');
      changeConfig(dir, change);
      expect((await rejection(readHuggingFace(dir), 'model_invalid')).message).to.include(named);
    });
  }

  it('refuses a config.json that is no JSON', async () => {
    const dir = copyOf('distilbert-tiny');
    writeFileSync(join(dir, 'config.json'), '{');
    expect((await rejection(readHuggingFace(dir), 'model_invalid')).message).to.include('config.json');
  });

  it('refuses weights that were cut', async () => {
    const dir = copyOf('distilbert-tiny');
    const file = join(dir, 'model.safetensors');
    writeFileSync(file, readFileSync(file).subarray(0, -1));
    await rejection(readHuggingFace(dir), 'model_invalid');
  });
});

describe('parseConfigJson()', () => {
  const config = {
    ...(JSON.parse(readFileSync(join(fixture('distilbert-tiny'), 'config.json'), 'utf8')) as object),
    layer_norm_eps: 1e-12,
    max_length: 64,
    temperature: 1,
  };
  const parse = (change: object) => () => parseConfigJson(JSON.stringify({ ...config, ...change }), 'config.json');

  it('orders the labels by their ids', () => {
    const id2label = { 2: 'c', 0: 'a', 1: 'b' };
    expect(parse({ id2label })().labels).to.deep.equal(['a', 'b', 'c']);
  });

  it('calls what has no labels an encoder', () => {
    expect(parse({ id2label: undefined })()).to.deep.include({ kind: 'encoder', labels: [] });
  });

  const wrong: [string, object, RegExp][] = [
    ['labels with a gap', { id2label: { 0: 'a', 2: 'b' } }, /id2label.*0 to 1/],
    ['labels that do not begin at 0', { id2label: { 1: 'a', 2: 'b' } }, /id2label/],
    ['the same label twice', { id2label: { 0: 'a', 1: 'a' } }, /different/],
    ['a label that is no text', { id2label: { 0: 'a', 1: 1 } }, /id2label/],
    ['labels that are a list of nothing', { id2label: null }, /id2label/],
    ['no max_length', { max_length: undefined }, /max_length/],
    ['a temperature that is no number', { temperature: 'warm' }, /temperature/],
    ['a max_length of nothing', { max_length: 0 }, /max_length.*at least 1.*0/],
    ['a max_length that is no integer', { max_length: 12.5 }, /max_length.*integer.*12\.5/],
    ['a temperature of 0', { temperature: 0 }, /temperature.*above 0.*0/],
    ['a temperature below 0', { temperature: -1 }, /temperature.*above 0.*-1/],
    ['another activation', { activation: 'tanh' }, /tanh/],
  ];
  for (const [what, change, message] of wrong) {
    it(`refuses ${what}`, () => {
      expect(parse(change)).to.throw(message).with.property('code', 'model_invalid');
    });
  }
});
