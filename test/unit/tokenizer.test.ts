import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { expect } from 'chai';
import fc from 'fast-check';
import { resolveBase } from '../../src/model/base-weights.js';
import { CoreEncoder } from '../../src/tokenizer/core-encoder.js';
import { type EncodedTexts, Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { coreFromFile } from '../helpers/core-tokenizers.js';
import { type DistilBertRecord, fixture, type MiniLmRecord, readFixture } from '../helpers/fixtures.js';
import { useScratch } from '../helpers/scratch.js';

const TINY = join(fixture('distilbert-tiny'), 'tokenizer.json');
const [CLS, SEP] = [2, 3];

const scratch = useScratch();

function rowsOf({ ids, offsets }: EncodedTexts): number[][] {
  return Array.from({ length: offsets.length - 1 }, (_, row) => [...ids.subarray(offsets[row], offsets[row + 1])]);
}

describe('Tokenizer#encode()', () => {
  const record = readFixture<DistilBertRecord>('distilbert-tiny.json');

  it("gives Hugging Face's ids, though the file says to pad and to truncate to 16", async () => {
    const encoded = await Tokenizer.load(TINY, 64).encode(record.texts);
    expect(rowsOf(encoded)).to.deep.equal(record.ids);
    expect(encoded.truncated).to.deep.equal(record.ids.map(() => false));
    expect(Math.max(...record.ids.map((row) => row.length))).to.be.above(16);
  });

  it('truncates on the right, keeps the special tokens, and says which texts were cut', async () => {
    const encoded = await Tokenizer.load(TINY, 12).encode(record.texts);
    expect(rowsOf(encoded)).to.deep.equal(record.idsCutTo12);
    expect(encoded.truncated).to.deep.equal(record.ids.map((row) => row.length > 12));
    expect(new Set(encoded.truncated).size).to.equal(2);
  });

  it('puts [CLS] and [SEP] around every text, the empty one too', async () => {
    const rows = rowsOf(await Tokenizer.load(TINY, 12).encode(['', ' \n', ...record.texts]));
    expect(rows.slice(0, 2)).to.deep.equal([
      [CLS, SEP],
      [CLS, SEP],
    ]);
    for (const row of rows) expect([row[0], row.at(-1)]).to.deep.equal([CLS, SEP]);
  });

  it('keeps the order of the texts, and makes an empty batch of none', async () => {
    const tokenizer = Tokenizer.load(TINY, 64);
    const reversed = await tokenizer.encode([...record.texts].reverse());
    expect(rowsOf(reversed).reverse()).to.deep.equal(record.ids);
    const none = await tokenizer.encode([]);
    expect(none).to.deep.equal({ ids: new Int32Array(0), offsets: new Int32Array(1), truncated: [] });
  });

  it("gives Hugging Face's ids of all-MiniLM-L6-v2, for texts that are hard to tokenize too", async () => {
    const { dir } = await resolveBase();
    const { texts, ids, hard } = readFixture<MiniLmRecord>('minilm.json');
    const tokenizer = Tokenizer.load(join(dir, 'tokenizer.json'), 256);
    expect(rowsOf(await tokenizer.encode(texts))).to.deep.equal(ids);
    for (const { text, ids: expected } of hard) {
      expect(rowsOf(await tokenizer.encode([text])), JSON.stringify(text.slice(0, 60))).to.deep.equal([expected]);
    }
    expect(tokenizer.vocabSize).to.equal(30_522);
  });
});

describe('Tokenizer#encode() of a long text, which is cut before it is tokenized', () => {
  const LIMIT = 12;
  const whole = coreFromFile(TINY, LIMIT);
  const cutting = {
    addon: Tokenizer.load(TINY, LIMIT),
    core: new CoreEncoder(TINY, JSON.parse(readFileSync(TINY, 'utf8')), LIMIT),
  };

  async function expectSame(text: string): Promise<void> {
    const expected = await whole.encode(text);
    for (const [name, encoder] of Object.entries(cutting)) {
      const { ids, truncated } = await encoder.encode([text]);
      expect([...ids], name).to.deep.equal(expected.getIds());
      expect(truncated, name).to.deep.equal([expected.getOverflowing().length > 0]);
    }
  }

  const texts: [string, string][] = [
    ['words', 'the battery is great '.repeat(500)],
    ['one word without a blank', 'great'.repeat(2000)],
    [
      'blanks, and a few words after them',
      `${' '.repeat(9000)}good bad great awful love hate it is so very nice and fast`,
    ],
    ['blanks between few words', `good${' '.repeat(1600)}bad${' '.repeat(1600)}great`],
    ['a few words and blanks', `good bad${' '.repeat(9000)}`],
    ['line breaks instead of blanks', 'good\nbad\n'.repeat(1000)],
    // 9 words, and blanks up to a word that lies across the first place to cut, character 768, and is the last to fit.
    ['a word where it is cut', `${'good '.repeat(9)}${' '.repeat(718)}battery ${'bad '.repeat(300)}`],
    ['special tokens in the text', '[SEP] [CLS] [MASK] '.repeat(500)],
    ['accents', `${'café naïve coöperate '.repeat(300)}`],
    ['pairs of surrogates', '🙂 👍🏽 '.repeat(1000)],
    ['punctuation without a blank', '!'.repeat(2000)],
    ['ideographs without a blank', '東京'.repeat(1000)],
    ['special tokens without a blank', '[SEP][MASK]'.repeat(300)],
    ...['\f', '\v', '\u0085', '\ufeff'].map((space): [string, string] => [
      `a word held together by white space that vanishes, U+${space.charCodeAt(0).toString(16)}`,
      `${'good '.repeat(9)}${'\u0000'.repeat(720)}bat${space}tery ${'bad '.repeat(300)}`,
    ]),
    ['spaces of other kinds', 'good\u00a0bad\u3000great\u2028'.repeat(200)],
    ['characters that vanish', `${'\u0000\u200d '.repeat(2000)}good bad great`],
  ];
  for (const [what, text] of texts) {
    it(`gives the same ids as the whole: ${what}`, () => expectSame(text));
  }

  // The limit is far from a race: the whole takes some twenty times as long.
  for (const [what, unit] of [
    ['words in lines', 'good\n'],
    ['punctuation', '!'],
    ['ideographs', '東'],
  ] as const) {
    it(`does not tokenize all of it: ${what} without a blank`, async () => {
      const text = unit.repeat(400_000 / unit.length);
      const timeOf = async (encode: () => Promise<unknown>): Promise<number> => {
        const started = performance.now();
        await encode();
        return performance.now() - started;
      };
      const all = await timeOf(() => whole.encode(text));
      for (const [name, encoder] of Object.entries(cutting)) {
        expect(await timeOf(async () => encoder.encode([text])), name).to.be.below(all / 2);
      }
    });
  }

  it('cuts at no character that its words may hold', async () => {
    const description = JSON.parse(readFileSync(TINY, 'utf8'));
    const token = { id: 4, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false };
    description.added_tokens[4] = { ...token, content: '<mask!>' };
    description.model.vocab = Object.fromEntries(
      Object.entries(description.model.vocab).map(([word, id]) => [id === token.id ? '<mask!>' : word, id]),
    );
    const path = join(scratch.dir, 'own-token.json');
    writeFileSync(path, JSON.stringify(description));
    // The first place to cut, character 768, is the ! of a token of the file's own that is the last to fit.
    const text = `${'good '.repeat(9)}${'\u0000'.repeat(718)}<mask!>${'!'.repeat(2000)}`;
    for (const encoder of [Tokenizer.load(path, LIMIT), new CoreEncoder(path, description, LIMIT)]) {
      expect((await encoder.encode([text])).ids.at(-2)).to.equal(token.id);
    }
  });

  it('gives the same ids as the whole: anything', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'good',
        'bad',
        ' ',
        '  ',
        '\n',
        '\f',
        '\u3000',
        '[SEP]',
        '[SE',
        '.',
        '!?',
        '\u0338',
        'Σ',
        '🙂',
        'é',
        'e\u0301',
        '東京',
        '\u0000',
      ),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
    );
    const text = fc
      .tuple(fc.array(piece, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 120 }))
      .map(([pieces, times]) => pieces.join('').repeat(times));
    await fc.assert(fc.asyncProperty(text, expectSame), { numRuns: 150 });
  });
});

describe('Tokenizer.load()', () => {
  it('names the file that is missing or no tokenizer', () => {
    const absent = join(scratch.dir, 'absent.json');
    expect(() => Tokenizer.load(absent, 12))
      .to.throw(absent)
      .with.property('code', 'model_invalid');
    const broken = join(scratch.dir, 'broken.json');
    writeFileSync(broken, '{"version":"1.0"}');
    expect(() => Tokenizer.load(broken, 12))
      .to.throw(broken)
      .with.property('code', 'model_invalid');
  });
});
