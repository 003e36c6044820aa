import { createRequire } from 'node:module';
import { DistilserveError, messageOf } from '../domain/errors.js';

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
const { Tokenizer: Core } = createRequire(import.meta.url)('tokenizers') as {
  Tokenizer: { fromFile(path: string): CoreTokenizer };
};

/** Token ids of several texts, as the addon takes them. */
export interface EncodedTexts {
  /** [tokens], [CLS] and [SEP] included. */
  readonly ids: Int32Array;
  /** [texts + 1]; text `i` is `ids[offsets[i]]` up to `offsets[i + 1]`. */
  readonly offsets: Int32Array;
  /** [texts]; true where a text had more tokens than the limit. */
  readonly truncated: readonly boolean[];
}

/** Text to token ids by Hugging Face's own tokenizers core, truncated on the right and never padded. */
export class Tokenizer {
  private constructor(
    private readonly core: CoreTokenizer,
    readonly maxLength: number,
  ) {}

  /**
   * Loads tokenizer.json. Truncation and padding written in it are replaced by ours.
   *
   * @param maxLength most tokens a text is cut to, special tokens included
   * @throws DistilserveError model_invalid
   */
  static load(path: string, maxLength: number): Tokenizer {
    try {
      const core = Core.fromFile(path);
      core.disablePadding();
      core.setTruncation(maxLength, { direction: 'right', strategy: 'LongestFirst', stride: 0 });
      return new Tokenizer(core, maxLength);
    } catch (error) {
      throw new DistilserveError('model_invalid', `Expected a tokenizer in ${path}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Number of token ids, added tokens included. */
  get vocabSize(): number {
    return this.core.getVocabSize(true);
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
    const cut = cutAtBlank(text, this.maxLength * CHARACTERS_PER_TOKEN);
    if (cut !== undefined) {
      const encoding = await this.core.encode(cut);
      if (encoding.getOverflowing().length > 0) return { ids: encoding.getIds(), truncated: true };
      // The part that was kept did not fill the limit: it was mostly blanks, and the rest counts.
    }
    const encoding = await this.core.encode(text);
    return { ids: encoding.getIds(), truncated: encoding.getOverflowing().length > 0 };
  }
}

/** Longest stretch, in characters for each token of the limit, that is tokenized at first. */
const CHARACTERS_PER_TOKEN = 64;

/**
 * The beginning of a long text up to a blank, which no token crosses, so that the cut cannot change the tokens before
 * it; undefined where the text is short or has no blank to cut at.
 */
function cutAtBlank(text: string, limit: number): string | undefined {
  if (text.length <= 2 * limit) return undefined;
  const blank = text.lastIndexOf(' ', limit);
  return blank > limit / 2 ? text.slice(0, blank) : undefined;
}
