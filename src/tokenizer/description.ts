import { addon, native } from '../native/addon.js';
import type { WordPieceOptions } from '../native/types.js';
import { type BertAddedToken, type BertDescription, isBertDescription } from './bert-schema.js';

/** [CLS] and [SEP]. */
const SPECIAL_TOKENS = 2;
/** Half of a surrogate pair: the core refuses a file with one. */
const SURROGATE = /\p{Surrogate}/u;

/**
 * How the addon's own tokenizer does what tokenizer.json says; undefined where it says something that only Hugging
 * Face's core does. Whatever is not certain to give the same ids is left to the core, and so is every refusal.
 */
export function wordPieceOptions(description: unknown, maxLength: number): WordPieceOptions | undefined {
  // Below that the core truncates in ways of its own.
  if (maxLength < SPECIAL_TOKENS || !isBertDescription(description)) return undefined;
  const { model, normalizer, added_tokens } = description;
  const vocab = new Map(Object.entries(model.vocab));
  const unkId = vocab.get(model.unk_token);
  const special = specialIds(description);
  if (unkId === undefined || special === undefined || SURROGATE.test([...vocab.keys()].join(' '))) return undefined;
  const options: WordPieceOptions = {
    tokens: [...vocab.keys()],
    ids: Int32Array.from(vocab.values()),
    unkId,
    ...special,
    continuingSubwordPrefix: model.continuing_subword_prefix,
    maxInputCharsPerWord: model.max_input_chars_per_word,
    cleanText: normalizer.clean_text,
    handleChineseChars: normalizer.handle_chinese_chars,
    stripAccents: normalizer.strip_accents ?? normalizer.lowercase,
    lowercase: normalizer.lowercase,
    addedTokens: added_tokens,
  };
  return areCertain(added_tokens, vocab, options) ? options : undefined;
}

function specialIds({ post_processor }: BertDescription): { clsId: number; sepId: number } | undefined {
  if (post_processor.type === 'BertProcessing') return { clsId: post_processor.cls[1], sepId: post_processor.sep[1] };
  const { single, special_tokens } = post_processor;
  const [cls, , sep] = single;
  const [clsId, sepId] = [cls, sep].map(({ SpecialToken: { id } }) =>
    Object.hasOwn(special_tokens, id) && special_tokens[id]!.id === id ? special_tokens[id]!.ids[0] : undefined,
  );
  return clsId === undefined || sepId === undefined ? undefined : { clsId, sepId };
}

/** Whether it is known what the core makes of the added tokens. */
function areCertain(
  tokens: readonly BertAddedToken[],
  vocab: ReadonlyMap<string, number>,
  options: WordPieceOptions,
): boolean {
  // The core goes by the vocabulary's id, and numbers what is not in it; it does not go by the file's id.
  let next = vocab.size;
  const expected = tokens.map(({ content }) => vocab.get(content) ?? next++);
  if (tokens.some(({ id }, index) => id !== expected[index]) || hasRepeats(expected)) return false;
  if (hasRepeats(tokens.map(({ content }) => content))) return false;
  // In a text the core has U+FFFD for half of a surrogate pair, which a token of ours would not match.
  if (tokens.some(({ content }) => SURROGATE.test(content) || content.includes('\ufffd'))) return false;
  // White space beside a token makes no token of its own, so that taking it along changes nothing; but another added
  // token may begin with it.
  const strips = tokens.some(({ lstrip, rstrip }) => lstrip || rstrip);
  if (strips && tokens.some(({ content }) => /[\s\u0085]/.test(content))) return false;
  const normalized = tokens
    .filter((token) => token.normalized)
    .map(({ content }) => native(() => addon().normalizeBert(content, options)));
  return !normalized.includes('') && !hasRepeats(normalized);
}

function hasRepeats(values: readonly unknown[]): boolean {
  return new Set(values).size < values.length;
}
