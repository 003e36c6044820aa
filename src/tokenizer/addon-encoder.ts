import { addon, native } from '../native/addon.js';
import type { WordPiece, WordPieceOptions } from '../native/types.js';
import type { EncodedTexts, Encoder } from './encoded-texts.js';

/** BERT's tokenizer in the addon: synchronous, a few microseconds for each text. */
export class AddonEncoder implements Encoder {
  readonly vocabSize: number;
  readonly #wordPiece: WordPiece;

  constructor(
    options: WordPieceOptions,
    private readonly maxLength: number,
  ) {
    const tokens = new Set([...options.tokens, ...options.addedTokens.map(({ content }) => content)]);
    this.vocabSize = tokens.size;
    this.#wordPiece = native(() => new (addon().WordPiece)(options));
  }

  encode(texts: readonly string[]): EncodedTexts {
    return native(() => this.#wordPiece.encode(texts, this.maxLength));
  }

  close(): void {
    this.#wordPiece.dispose();
  }
}
