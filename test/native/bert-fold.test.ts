/** A BERT becomes a DistilBERT by adding token type 0's embedding to every position embedding. */
import { join } from 'node:path';
import { expect } from 'chai';
import { resolveBase } from '../../src/model/base-weights.js';
import { type HuggingFaceModel, readHuggingFace } from '../../src/model/hugging-face.js';
import { readSafetensorsHeader } from '../../src/model/safetensors.js';
import { addon } from '../../src/native/addon.js';
import type { ScriptModule, TensorSource } from '../../src/native/types.js';
import { type BertRecord, fixture, type MiniLmRecord, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { expectClose, ragged, readTensors, writeTensors } from '../helpers/tensors.js';
import { openOnCpu } from '../helpers/tiny-model.js';

const TOLERANCE = 1e-5;
const TYPES = 'token_type_embeddings';
const POSITIONS = 'distilbert.embeddings.position_embeddings.weight';

const suite = useSuiteDir();

/** A head whose logits are the positive part of the first token's hidden state: its one way out of the addon. */
async function identityHead(dim: number): Promise<TensorSource[]> {
  const identity = new Float32Array(dim * dim);
  for (let index = 0; index < dim; index++) identity[index * dim + index] = 1;
  const file = join(suite.dir, `identity-${dim}.safetensors`);
  const weight = { shape: [dim, dim], values: identity };
  const bias = { shape: [dim], values: new Float32Array(dim) };
  writeTensors(
    file,
    new Map([
      ['pre_classifier.weight', weight],
      ['pre_classifier.bias', bias],
      ['classifier.weight', weight],
      ['classifier.bias', bias],
    ]),
  );
  return readSafetensorsHeader(file);
}

async function open({ architecture, weights }: HuggingFaceModel, name: string): Promise<ScriptModule> {
  const path = join(suite.dir, name);
  const { dim } = architecture;
  addon().writeModel({ ...architecture, numLabels: dim }, [...weights, ...(await identityHead(dim))], 0, path);
  return openOnCpu(path);
}

function positivePart(rows: readonly number[][]): number[] {
  return rows.flat().map((value) => Math.max(0, value));
}

describe('a tiny BERT as DistilBERT', () => {
  const record = readFixture<BertRecord>('bert-tiny.json');
  let bert: HuggingFaceModel;
  before(async () => {
    bert = await readHuggingFace(fixture('bert-tiny'));
  });

  it("has Hugging Face's hidden states and embeddings", async () => {
    const model = await open(bert, 'bert.pt');
    const { ids, offsets } = ragged(record.ids);
    expectClose(model.logits(ids, offsets, 1), positivePart([...record.cls]), TOLERANCE, 'hidden states');
    expectClose(model.embed(ids, offsets, 1), record.embeddings.flat(), TOLERANCE, 'embeddings');
  });

  it('is, to the bit, the model whose position embeddings were summed by hand', async () => {
    const tensors = await readTensors(`${fixture('bert-tiny')}/model.safetensors`);
    const types = tensors.get('embeddings.token_type_embeddings.weight')!.values.slice(0, bert.architecture.dim);
    const positions = tensors.get('embeddings.position_embeddings.weight')!;
    const summed = positions.values.map((value, index) => value + types[index % types.length]!);
    const file = join(suite.dir, 'summed.safetensors');
    writeTensors(file, new Map([[POSITIONS, { shape: positions.shape, values: summed }]]));
    const others = bert.weights.filter(({ name }) => name !== TYPES && name !== POSITIONS);
    expect(others).to.have.length(bert.weights.length - 2);
    const byHand = await open({ ...bert, weights: [...others, ...(await readSafetensorsHeader(file))] }, 'by-hand.pt');
    const folded = await open(bert, 'folded.pt');
    const { ids, offsets } = ragged(record.ids);
    expect(folded.embed(ids, offsets, 1)).to.deep.equal(byHand.embed(ids, offsets, 1));
  });
});

describe('all-MiniLM-L6-v2 as DistilBERT', () => {
  const record = readFixture<MiniLmRecord>('minilm.json');
  let model: ScriptModule;
  before(async function () {
    this.timeout(60_000);
    const { dir } = await resolveBase();
    model = await open(await readHuggingFace(dir), 'minilm.pt');
  });
  after(() => model.dispose());

  it("has Hugging Face's hidden states, token types folded in", () => {
    const { ids, offsets } = ragged(record.ids.slice(0, record.cls.length));
    expectClose(model.logits(ids, offsets, 1), positivePart([...record.cls]), TOLERANCE, 'hidden states');
  });

  it("has sentence-transformers' embeddings, alone and in a batch", () => {
    const { ids, offsets } = ragged(record.ids);
    expectClose(model.embed(ids, offsets, 1), record.embeddings.flat(), TOLERANCE, 'embeddings');
    record.ids.slice(0, 5).forEach((row, index) => {
      const one = ragged([row]);
      expectClose(model.embed(one.ids, one.offsets, 1), record.embeddings[index]!, TOLERANCE, 'an embedding');
    });
  });
});
