/** Small BERT tokenizers made on the spot, and hard texts for them. */
import { randomNumbers } from '../../train/lib/random.js';
import { readFixtureText } from './fixtures.js';

export interface AddedTokenJson {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

export interface BertJson {
  version: string;
  truncation: unknown;
  padding: unknown;
  added_tokens: AddedTokenJson[];
  normalizer: Record<string, unknown>;
  pre_tokenizer: Record<string, unknown>;
  post_processor: Record<string, unknown>;
  decoder: unknown;
  model: {
    type: string;
    unk_token: string;
    continuing_subword_prefix: string;
    max_input_chars_per_word: number;
    vocab: Record<string, number>;
  };
}

/** Letters that normalizers change, marks they order or remove, and what ends words: each a piece of the vocabulary. */
const CHARACTERS = [
  ...'abcdeisABCDEISßẞıİΣσςÀàÅåÇçÉéÑñØøŁłǅǆЙйἀᾳᾼΩωﬁ',
  ...'\u0300\u0301\u0327\u0338\u0345\u05b0\u064b\u0903\u093f\u0c55\u0cd5\u302e\u302f\u3099\u{1d165}\u{1d16d}\u{16ff0}',
  ...'\u0897\u08c8\u1acf\u1ad8\u1dfa\u0c3c\u0cbf\u0cc0\u{10efd}\u{11f42}\u{1e08f}\u{1e4ec}\u{1e5ee}\u{11ec5}',
  ...'각가힣ᄀ하\u1161\u11a8東京\u3007\u9fff\ufa11豈\u{2f800}\u{20000}\u{2a6e0}\u{2b820}\u{2ebf0}\u{30000}',
  ...'\t\n\r \u00a0\u1680\u2003\u2028\u3000\v\f\u001c\u0085\u180e\u200b\ufeff\u0000\u0007\u00ad\u200d\ufffd\ue000\u0378',
  ...'.,!?-[]#\'"$+<=>^`|~¡«·¿–—‘’“”…‽、。「」・\u061d\u2e3a\u2e52\u2e5d\u{10ead}\u{11b00}',
  ...'0129²½٣🙂👍\u{1f3fd}\u{1f1e6}Ⱥⱥ\u{10400}\u{10428}\u{1e921}\u{16ea0}Ა\ua7dc\u1c89',
];
const WORDS = ['good', 'bad', 'great', 'battery', 'able', 'unable', 'ables', 'café', 'cafe', 'kettle', 'Kettle'];
const WHOLE = ['[MASK]', '[SEP]', '[CLS]', '[UNK]', '[PAD]', '[mask]', '[MAS', ...WORDS, '##ab', '##able', '##s'];

/** The tiny tokenizer of the fixtures, its vocabulary extended by the characters above, after `change`. */
export function bertJson(change: (json: BertJson) => void = () => {}): string {
  const json = JSON.parse(readFixtureText('distilbert-tiny/tokenizer.json')) as BertJson;
  change(json);
  const { vocab, continuing_subword_prefix: prefix } = json.model;
  for (const piece of [...WHOLE.filter((word) => !word.startsWith('[')), ...CHARACTERS]) {
    if (piece.trim() !== '') vocab[piece] ??= Object.keys(vocab).length;
    if (piece.trim() !== '') vocab[prefix + piece] ??= Object.keys(vocab).length;
  }
  let next = Object.keys(vocab).length;
  for (const token of json.added_tokens) token.id = vocab[token.content] ?? next++;
  return JSON.stringify(json);
}

/** An added token, which bertJson numbers as the core does. */
export function addedToken(content: string, changes: Partial<AddedTokenJson> = {}): AddedTokenJson {
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
  return { id: 0, content, ...plain, ...changes };
}

/** A seeded stream of texts of what is hard to tokenize: no two kinds of characters are too far to meet. */
export function* randomTexts(seed: number, words: readonly string[] = WHOLE): Generator<string> {
  const random = randomNumbers(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  // Blocks of 128, so that one text stays within a script for a while.
  const within = (block: number): string => String.fromCodePoint(block * 128 + Math.floor(random() * 128));
  for (;;) {
    const block = Math.floor(random() * (random() < 0.8 ? 0x600 : 0x2200));
    const parts: string[] = [];
    for (let left = Math.floor(random() * 24); left >= 0; left--) {
      const kind = random();
      if (kind < 0.3) parts.push(pick(words));
      else if (kind < 0.45) parts.push(' ');
      else if (kind < 0.7) parts.push(pick(CHARACTERS));
      else if (kind < 0.8) parts.push(String.fromCodePoint(0x20 + Math.floor(random() * 0x5f)));
      // A block of surrogates gives halves of pairs.
      else if (kind < 0.95) parts.push(within(block));
      else parts.push(String.fromCharCode(Math.floor(random() * 0x10000)));
    }
    yield parts.join('');
  }
}
