import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DistilserveError } from '../../src/domain/errors.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { addedToken, type BertJson, bertJson } from '../helpers/bert-tokenizers.js';
import { coreFromJson } from '../helpers/core-tokenizers.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();
const TEXTS = ['Kettle good, bad! café [MASK]', '', 'unables'];

function load(json: string, maxLength = 8): Tokenizer {
  const path = join(scratch.dir, 'tokenizer.json');
  writeFileSync(path, json);
  return Tokenizer.load(path, maxLength);
}

const special = (id: string): object => ({ SpecialToken: { id, type_id: 0 } });
const sequence = (id: string): object => ({ Sequence: { id, type_id: 0 } });
const template = (single: object[], changes: object = {}): Record<string, unknown> => ({
  type: 'TemplateProcessing',
  single,
  pair: [sequence('A'), sequence('B')],
  special_tokens: Object.fromEntries(
    [2, 3].map((id) => [['[CLS]', '[SEP]'][id - 2]!, { id: ['[CLS]', '[SEP]'][id - 2], ids: [id], tokens: ['x'] }]),
  ),
  ...changes,
});
const CLS_A_SEP = [special('[CLS]'), sequence('A'), special('[SEP]')];

const ADDON: [string, (json: BertJson) => void][] = [
  ['BertProcessing', () => {}],
  ['a template of [CLS], the text and [SEP]', (json) => (json.post_processor = template(CLS_A_SEP))],
  ['neither truncation nor padding', (json) => Object.assign(json, { truncation: null, padding: null })],
  ['no decoder', (json) => (json.decoder = null)],
  ['added tokens, normalized ones too', (json) => json.added_tokens.push(addedToken('Kettle', { normalized: true }))],
  ['accents that stay', (json) => Object.assign(json.normalizer, { strip_accents: false, lowercase: false })],
];

const CORE: [string, (json: BertJson) => void][] = [
  ['another normalizer', (json) => (json.normalizer = { type: 'Lowercase' })],
  ['no normalizer', (json) => Object.assign(json, { normalizer: null })],
  ['another pre-tokenizer', (json) => (json.pre_tokenizer = { type: 'Whitespace' })],
  ['no post-processor', (json) => Object.assign(json, { post_processor: null })],
  ['a template without [SEP]', (json) => (json.post_processor = template(CLS_A_SEP.slice(0, 2)))],
  ['a template of two [SEP]', (json) => (json.post_processor = template([...CLS_A_SEP, special('[SEP]')]))],
  ['a token that must be a word', (json) => json.added_tokens.push(addedToken('good', { single_word: true }))],
  [
    'a token that takes white space along, and one with some',
    (json) => {
      json.added_tokens.push(addedToken('good', { rstrip: true }), addedToken(' bad'));
    },
  ],
  [
    'tokens that are the same when normalized',
    (json) => {
      json.added_tokens.push(...['zebra', 'ZEBRA'].map((content) => addedToken(content, { normalized: true })));
    },
  ],
  [
    'a token that is gone when normalized',
    (json) => json.added_tokens.push(addedToken('\u0301', { normalized: true })),
  ],
  ['a token twice', (json) => json.added_tokens.push(addedToken('good'), addedToken('good'))],
  ['a token with U+FFFD', (json) => json.added_tokens.push(addedToken('\ufffd'))],
  [
    'two tokens of one id',
    (json) => {
      json.model.vocab.Good = json.model.vocab.good = 90;
      json.added_tokens.push(addedToken('Good'), addedToken('good'));
    },
  ],
];

describe('Tokenizer#implementation', () => {
  for (const [expected, cases] of [
    ['addon', ADDON],
    ['core', CORE],
  ] as const) {
    for (const [what, change] of cases) {
      it(`is '${expected}' for ${what}, and gives the core's ids`, async () => {
        const json = bertJson(change);
        const tokenizer = load(json);
        expect(tokenizer.implementation).to.equal(expected);
        const oracle = coreFromJson(json, 8);
        expect(tokenizer.vocabSize).to.equal(oracle.getVocabSize(true));
        for (const text of TEXTS) {
          expect([...(await tokenizer.encode([text])).ids]).to.deep.equal((await oracle.encode(text)).getIds());
        }
      });
    }
  }

  it("is 'core' where the file's ids of added tokens are not those that the core gives", () => {
    const json = JSON.parse(bertJson((description) => description.added_tokens.push(addedToken('<new>')))) as BertJson;
    json.added_tokens.at(-1)!.id += 1;
    expect(load(JSON.stringify(json)).implementation).to.equal('core');
  });

  it("is 'core' for another model", () => {
    const json = JSON.parse(bertJson()) as BertJson;
    Object.assign(json, { model: { type: 'WordLevel', vocab: json.model.vocab, unk_token: '[UNK]' } });
    expect(load(JSON.stringify(json)).implementation).to.equal('core');
  });

  it("is 'core' without the unknown token in the vocabulary", () => {
    const json = bertJson((description) => (description.model.unk_token = '[none]'));
    expect(load(json).implementation).to.equal('core');
  });

  it('leaves refusals to the core: a decoder that there is not', () => {
    expect(() => load(bertJson((json) => (json.decoder = { type: 'none' }))))
      .to.throw(DistilserveError)
      .with.property('code', 'model_invalid');
  });
});

describe('Tokenizer#close()', () => {
  it('may be called twice, and makes encode() throw disposed', async () => {
    const tokenizer = load(bertJson());
    tokenizer.close();
    tokenizer.close();
    const error = await tokenizer.encode(['good']).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(DistilserveError).with.property('code', 'disposed');
  });
});
