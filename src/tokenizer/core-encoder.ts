import { createRequire } from 'node:module';
import type { EncodedTexts, Encoder } from './encoded-texts.js';

// The package is CommonJS, and its types do not compile (`InputSequence` is undefined in them): the part we use.
interface Encoding {
  getIds(): number[];
  getLength(): number;
  getOverflowing(): Encoding[];
}
interface CoreTokenizer {
  setTruncation(
    maxLength: number,
    options?: { direction?: 'left' | 'right'; strategy?: string; stride?: number },
  ): void;
  disablePadding(): void;
  getVocabSize(withAddedTokens?: boolean): number;
  encode(text: string): Promise<Encoding>;
}

/** What of tokenizer.json says where its words end. */
interface Description {
  readonly normalizer?: { readonly type?: string; readonly handle_chinese_chars?: boolean } | null;
  readonly pre_tokenizer?: { readonly type?: string } | null;
  readonly added_tokens?: readonly { readonly content: string; readonly single_word: boolean }[];
}

/** Hugging Face's own tokenizers core: any tokenizer.json, a promise and a hundred microseconds for each text. */
export class CoreEncoder implements Encoder {
  readonly #core: CoreTokenizer;
  readonly #boundary: RegExp;

  constructor(
    path: string,
    description: Description,
    private readonly maxLength: number,
  ) {
    // Not at the top of the file: most processes never need it.
    const { Tokenizer: Core } = createRequire(import.meta.url)('tokenizers') as {
      Tokenizer: { fromFile(path: string): CoreTokenizer };
    };
    this.#core = Core.fromFile(path);
    this.#core.disablePadding();
    this.#core.setTruncation(maxLength, { direction: 'right', strategy: 'LongestFirst', stride: 0 });
    this.#boundary = boundaryOf(description);
  }

  get vocabSize(): number {
    return this.#core.getVocabSize(true);
  }

  async encode(texts: readonly string[]): Promise<EncodedTexts> {
    const rows = await Promise.all(texts.map((text) => this.#encodeOne(text)));
    const offsets = new Int32Array(texts.length + 1);
    rows.forEach((row, index) => {
      offsets[index + 1] = (offsets[index] ?? 0) + row.ids.length;
    });
    const ids = new Int32Array(offsets[texts.length] ?? 0);
    rows.forEach((row, index) => {
      ids.set(row.ids, offsets[index]);
    });
    return { ids, offsets, truncated: rows.map((row) => row.truncated) };
  }

  async #encodeOne(text: string): Promise<{ ids: number[]; truncated: boolean }> {
    // A long text is cut before it is tokenized, since the core tokenizes all of it before truncating (1 MB: 0.3 s).
    const cut = cutAtBoundary(text, this.maxLength * CHARACTERS_PER_TOKEN, this.#boundary);
    if (cut !== undefined) {
      const encoding = await this.#core.encode(cut);
      if (encoding.getOverflowing().length > 0) return { ids: encoding.getIds(), truncated: true };
      // The part that was kept did not fill the limit: it was mostly blanks, and the rest counts.
    }
    const encoding = await this.#core.encode(text);
    return { ids: encoding.getIds(), truncated: encoding.getOverflowing().length > 0 };
  }

  close(): void {
    // Nothing of the core's can be freed by hand.
  }
}

/** Longest stretch, in characters for each token of the limit, that is tokenized at first. */
const CHARACTERS_PER_TOKEN = 64;

/**
 * Characters that no word of BERT's reaches across: white space, ASCII punctuation and ideographs. Left out are what the
 * normalizer removes as a control character though it is white space (\v, \f, U+0085, U+FEFF), and the brackets of
 * [SEP].
 */
const BERT_BOUNDARY =
  /[\t\n\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000!-/:-@\\^-`{-~\u3400-\u4db5\u4e00-\u9fa5]/;

function boundaryOf({ normalizer, pre_tokenizer, added_tokens = [] }: Description): RegExp {
  const isBert = pre_tokenizer?.type === 'BertPreTokenizer' && normalizer?.type === 'BertNormalizer';
  // A token of one's own is looked for before words are, and may hold a boundary or depend on what follows it.
  const plain = added_tokens.every(({ content, single_word }) => !single_word && !BERT_BOUNDARY.test(content));
  return isBert && normalizer.handle_chinese_chars === true && plain ? BERT_BOUNDARY : / /;
}

/**
 * The beginning of a long text up to a boundary, which no token crosses, so that the cut cannot change the tokens before
 * it; undefined where the text is short or has no boundary to cut at.
 */
function cutAtBoundary(text: string, limit: number, boundary: RegExp): string | undefined {
  if (text.length <= 2 * limit) return undefined;
  for (let end = limit; end > limit / 2; end--) {
    if (boundary.test(text.charAt(end))) return text.slice(0, end);
  }
  return undefined;
}
