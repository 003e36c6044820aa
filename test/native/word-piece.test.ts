/** The addon's own BERT tokenizer beside Hugging Face's core, which is asked for every expected value. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { expect } from 'chai';
import { addon } from '../../src/native/addon.js';
import type { WordPiece, WordPieceOptions } from '../../src/native/types.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { addedToken, type BertJson, bertJson, randomTexts } from '../helpers/bert-tokenizers.js';
import { core, coreFromJson } from '../helpers/core-tokenizers.js';
import { useScratch } from '../helpers/scratch.js';
import { thrown } from '../helpers/tiny-model.js';

const scratch = useScratch();

/** How they encode the same texts; `change` makes the tokenizer. */
async function compare(
  texts: readonly string[],
  change: (json: BertJson) => void = () => {},
  maxLength = 64,
): Promise<number[][]> {
  const json = bertJson(change);
  const path = join(scratch.dir, 'tokenizer.json');
  writeFileSync(path, json);
  const tokenizer = Tokenizer.load(path, maxLength);
  const oracle = coreFromJson(json, maxLength);
  expect(tokenizer.implementation).to.equal('addon');
  expect(tokenizer.vocabSize).to.equal(oracle.getVocabSize(true));
  const { ids, offsets, truncated } = await tokenizer.encode(texts);
  const rows = texts.map((_, row) => [...ids.subarray(offsets[row], offsets[row + 1])]);
  for (const [row, text] of texts.entries()) {
    const expected = await oracle.encode(text);
    const said = `${JSON.stringify(text.slice(0, 200))} cut to ${maxLength}`;
    expect(rows[row], said).to.deep.equal(expected.getIds());
    expect(truncated[row], said).to.equal(expected.getOverflowing().length > 0);
  }
  return rows;
}

function normalizer(changes: Record<string, unknown>): (json: BertJson) => void {
  return (json) => Object.assign(json.normalizer, changes);
}

function withTokens(...tokens: BertJson['added_tokens']): (json: BertJson) => void {
  return (json) => json.added_tokens.push(...tokens);
}

const RULES: [string, string[]][] = [
  ['nothing', ['', ' ', '\u0000', '\u0301', '\ufffd']],
  ['words and pieces', ['good bad', 'unable unables', 'goodbad', 'goodzzbad zz', 'abc def']],
  [
    'punctuation is a word of its own',
    ['good.bad', '!?', 'a-b', "it's", 'a$b+c<d', '¡bad!', 'a—b“c”', 'a¬b', 'a\u2e52b'],
  ],
  ['spaces of all kinds', ['a\tb\nc\rd', 'a\u00a0b\u3000c\u2028d', 'a\u1680b\u180ec', 'a\u200bb\ufeffc']],
  ['control characters go', ['a\u0000b', 'a\vb\fc\u0085d', 'a\u00adb\u200dc', 'a\ue000b\u0378c', 'go\u001cod']],
  ['ideographs stand alone', ['東京', 'a東b京c', '\u9fff\u3007\ufa11', '\u{20000}\u{2a6e0}\u{2b820}', '豈\u{2f800}a']],
  ['accents go', ['café CAFÉ', 'cafe\u0301', 'Àå\u0327', 'a\u0338b', '\u0301a', 'ế', 'Йй', 'ḱ\u0316']],
  [
    'marks that stay are ordered',
    ['a\u{1d165}\u302e', 'a\u302e\u{1d16d}b', 'a\u302e\u0cbf\u{1d165}', 'a\u302e é', 'a\u302eA.'],
  ],
  ['Hangul is taken apart', ['각가힣', 'a각b', '\u1100\u1161']],
  ['lower case of one character alone', ['ΑΣ ΣΑ Σ', 'İI', 'ẞß', 'Ǆ', '\u{10400}', 'ᾼ', 'ŁØ']],
  ['halves of surrogate pairs', ['a\ud800b', '\udc00', 'a\ud83d', '\ude42a', '\ud83d\ud83d\ude42', '🙂 a']],
  ['special tokens', ['[MASK]', 'a[SEP]b', '[mask]', '[MASK', '[[MASK]]', '[SEP][CLS]', ' [PAD] ', 'e[MASK]\u0301']],
];

describe('WordPiece beside the core', function () {
  this.timeout(60_000);

  for (const [what, texts] of RULES) {
    it(`with every setting of the normalizer: ${what}`, async () => {
      for (let setting = 0; setting < 24; setting++) {
        const changes = {
          clean_text: (setting & 1) === 0,
          handle_chinese_chars: (setting & 2) === 0,
          lowercase: (setting & 4) === 0,
          strip_accents: [null, true, false][setting >> 3],
        };
        await compare(texts, normalizer(changes));
      }
    });
  }

  it('truncates at every length, and says where it did', async () => {
    const texts = ['', 'good', 'good bad', 'unables unables café good', '[SEP][SEP][SEP] a', `${'x'.repeat(200)} a`];
    for (let length = 2; length < 12; length++) await compare(texts, undefined, length);
  });

  it('takes a word of more than max_input_chars_per_word characters for unknown', async () => {
    const texts = ['a', 'ab', 'abc', 'éé ééé', 'e\u0301e\u0301', '🙂🙂', 'a.b', '東', 'abcdeabcde', '\u0000ab\u0000'];
    for (const limit of [0, 1, 2, 3, 100]) {
      await compare(texts, (json) => (json.model.max_input_chars_per_word = limit));
    }
    await compare(['a'.repeat(100), 'a'.repeat(101), 'é'.repeat(100), 'ⱥ'.repeat(101)]);
  });

  it('continues words by any prefix', async () => {
    for (const prefix of ['', '@@', 'a', 'é', '#']) {
      await compare(
        ['unables abab aab ab', 'éa aé', 'good##s'],
        (json) => (json.model.continuing_subword_prefix = prefix),
      );
    }
  });

  it('knows the unknown token by its name', async () => {
    await compare(['zzz good \u2603'], (json) => (json.model.unk_token = 'good'));
  });

  it('takes the longest of the added tokens, at the first place', async () => {
    const change = withTokens(addedToken('[MASK][SEP]'), addedToken('a b'), addedToken('<x>'));
    await compare(['[MASK][SEP][MASK]', '[MASK] [SEP]', 'xa bx', 'a ba b', '<<x>>', 'A B', 'a\u0000 b'], change);
  });

  it('finds normalized added tokens in normalized text', async () => {
    const tokens = ['Kettle', 'Straße', 'naïve', '東', 'a.b', '[MASK]x', 'kettles', 'İx', 'é é'];
    const change = withTokens(...tokens.map((content) => addedToken(content, { normalized: true })));
    const texts = [
      'kettle KETTLES Kettlez xkettle',
      'strasse straße STRASSE',
      'NAÏVE nai\u0308ve na\u0000ive na\u0308ive',
      'a東b 東',
      'A.B.a.b a .b',
      '[MASK]x [mask]x',
      'İx i\u0307x ix',
      'é é e e e\u0301 e',
      'kettle[SEP]kettle',
    ];
    for (const strip_accents of [null, false]) {
      for (const lowercase of [true, false]) {
        await compare(texts, (json) => {
          Object.assign(json.normalizer, { strip_accents, lowercase });
          change(json);
        });
      }
    }
  });

  it('does nothing else for added tokens that take white space along', async () => {
    const change = withTokens(
      addedToken('<l>', { lstrip: true }),
      addedToken('<r>', { rstrip: true }),
      addedToken('<n>', { lstrip: true, rstrip: true, normalized: true }),
    );
    await compare(['a <l> b', 'a <r> b', 'a\u00a0<l>\v<r>\n<n> <l>', '  <n>  <N> ', '<r> <l> '], change);
    await compare(['a\u00a0<l>\v<r>\n<n> <l>b'], (json) => {
      change(json);
      json.normalizer.clean_text = false;
    });
  });

  it('gives the same ids of 20,000 random texts', async () => {
    const settings: Record<string, unknown>[] = [
      {},
      { lowercase: false },
      { strip_accents: false },
      { clean_text: false },
      { handle_chinese_chars: false, lowercase: false, strip_accents: true },
    ];
    const texts = randomTexts(20_261_123);
    for (let round = 0; round < 20; round++) {
      const batch = Array.from({ length: 1000 }, () => texts.next().value as string);
      await compare(batch, normalizer(settings[round % settings.length]!), 4 + 3 * round);
    }
  });
});

describe('every code point', function () {
  this.timeout(60_000);

  const LAST = 0x10ffff;
  const STEP = 4096;

  function* chunks(): Generator<string[]> {
    for (let first = 0; first <= LAST; first += STEP) {
      yield Array.from({ length: STEP }, (_, index) => String.fromCodePoint(first + index));
    }
  }

  // It gives one unknown word, two words, three, or two pieces, as the character is of a word, a space, stands alone or
  // goes.
  it('within a word does to it what it does in the core', async () => {
    const texts = [...chunks()].map((characters) => characters.map((character) => `a${character}b`).join(' '));
    await compare(texts, undefined, 6 * STEP);
    const plain = normalizer({ clean_text: false, strip_accents: false, lowercase: false });
    await compare(texts.slice(0, 0x10000 / STEP), plain, 6 * STEP);
  });

  it('is normalized as the core does it, alone and after marks', () => {
    for (const marks of ['', 'e\u302e\u{1d16d}']) {
      const options = { cleanText: true, handleChineseChars: true, stripAccents: true, lowercase: true };
      const oracle = core.bertNormalizer(options);
      for (const characters of chunks()) {
        const text = characters.map((character) => `${marks}${character}`).join(',');
        const expected = oracle.normalizeString(text);
        if (addon().normalizeBert(text, options) === expected) continue;
        // Once more one by one, to name the first.
        for (const character of characters) {
          const said = `U+${character.codePointAt(0)!.toString(16)} after ${JSON.stringify(marks)}`;
          const one = marks + character;
          expect(addon().normalizeBert(one, options), said).to.equal(oracle.normalizeString(one));
        }
      }
    }
  });
});

describe('WordPiece and a long text', function () {
  this.timeout(60_000);

  it('reads on where its first part ends within a pair of surrogates, an added token or a word', async () => {
    const texts = [4094, 4095, 4096, 16382, 16383, 16384].flatMap((length) =>
      ['🙂 good', '[MASK][SEP]', 'unables', '\u302e\u{1d165}é', '.', ''].flatMap((middle) =>
        [-8, -5, -3, -2, -1, 0, 1].map((shift) => `a${'\u0000'.repeat(length + shift)}${middle} bad`),
      ),
    );
    await compare(texts);
  });

  it('gives the same ids of 400 kB in a small part of the time', async () => {
    const json = bertJson();
    const path = join(scratch.dir, 'tokenizer.json');
    writeFileSync(path, json);
    const [tokenizer, oracle] = [Tokenizer.load(path, 64), coreFromJson(json, 64)];
    for (const unit of ['good ', '!', '東', 'é', '\u0000', '[SEP]']) {
      const text = `${unit.repeat(400_000 / unit.length)} good`;
      const started = performance.now();
      const { ids, truncated } = await tokenizer.encode([text]);
      const ours = performance.now() - started;
      const expected = await oracle.encode(text);
      const whole = performance.now() - started - ours;
      expect([...ids], unit).to.deep.equal(expected.getIds());
      expect(truncated[0], unit).to.equal(expected.getOverflowing().length > 0);
      expect(ours, unit).to.be.below(whole / 4);
    }
  });
});

describe('WordPiece', () => {
  const options: WordPieceOptions = {
    tokens: ['?', '<', '>', 'good', '##s'],
    ids: Int32Array.of(0, 1, 2, 3, 4),
    unkId: 0,
    clsId: 1,
    sepId: 2,
    continuingSubwordPrefix: '##',
    maxInputCharsPerWord: 100,
    cleanText: true,
    handleChineseChars: true,
    stripAccents: true,
    lowercase: true,
    addedTokens: [],
  };
  const make = (changes: object): WordPiece => new (addon().WordPiece)({ ...options, ...changes } as WordPieceOptions);

  it('gives ids as the addon takes them', () => {
    const { ids, offsets, truncated } = make({}).encode(['Goods!', '', 'good good'], 3);
    expect(ids).to.deep.equal(Int32Array.of(1, 3, 2, 1, 2, 1, 3, 2));
    expect(offsets).to.deep.equal(Int32Array.of(0, 3, 5, 8));
    expect(truncated).to.deep.equal([true, false, true]);
    expect(make({}).encode([], 3).offsets).to.deep.equal(Int32Array.of(0));
  });

  it('refuses what it cannot be made of, by name', () => {
    for (const [changes, named] of [
      [{ ids: Int32Array.of(0) }, '1 ids'],
      [{ ids: [0, 1, 2, 3, 4] }, 'ids'],
      [{ ids: Int32Array.of(0, 1, 2, 3, -4) }, '-4'],
      [{ tokens: 'good' }, 'tokens'],
      [{ tokens: [0, 1, 2, 3, 4] }, 'token'],
      [{ unkId: -1 }, 'unkId'],
      [{ sepId: 0.5 }, 'sepId'],
      [{ lowercase: undefined }, 'lowercase'],
      [{ maxInputCharsPerWord: '9' }, 'maxInputCharsPerWord'],
      [{ addedTokens: {} }, 'addedTokens'],
      [{ addedTokens: [{ content: '', id: 5, normalized: false }] }, '5'],
      [{ addedTokens: [7, 8].map((id) => ({ content: 'aA'[id - 7], id, normalized: true })) }, '7 and 8'],
    ] as [object, string][]) {
      expect(thrown(() => make(changes), 'invalid_argument')).to.include(named);
    }
  });

  it('refuses texts that are none, and room for less than [CLS] and [SEP]', () => {
    const encode =
      (...args: unknown[]) =>
      () =>
        (make({}).encode as (...args: unknown[]) => unknown)(...args);
    thrown(encode('good', 4), 'invalid_argument');
    thrown(encode(['good', 1], 4), 'invalid_argument');
    thrown(encode([undefined], 4), 'invalid_argument');
    thrown(encode(['good']), 'invalid_argument');
    expect(thrown(encode(['good'], 1), 'invalid_argument')).to.include('1');
  });

  it('throws disposed after dispose, which may be called twice', () => {
    const wordPiece = make({});
    wordPiece.dispose();
    wordPiece.dispose();
    thrown(() => wordPiece.encode(['good'], 4), 'disposed');
  });
});
