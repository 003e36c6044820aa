import { readFileSync } from 'node:fs';
import { DistilserveError, messageOf } from '../domain/errors.js';
import { AddonEncoder } from './addon-encoder.js';
import { CoreEncoder } from './core-encoder.js';
import { wordPieceOptions } from './description.js';
import type { EncodedTexts, Encoder } from './encoded-texts.js';

export type { EncodedTexts } from './encoded-texts.js';

/** Text to token ids, the same as Hugging Face's tokenizers core gives, truncated on the right and never padded. */
export class Tokenizer {
  private constructor(
    private readonly encoder: Encoder,
    readonly maxLength: number,
    /** Which code makes the ids: the addon's own for a BERT it knows all about, else Hugging Face's core. */
    readonly implementation: 'addon' | 'core',
  ) {}

  /**
   * Loads tokenizer.json. Truncation and padding written in it are replaced by ours.
   *
   * @param maxLength most tokens a text is cut to, special tokens included
   * @throws DistilserveError model_invalid
   */
  static load(path: string, maxLength: number): Tokenizer {
    try {
      const description = JSON.parse(readFileSync(path, 'utf8'));
      const options = wordPieceOptions(description, maxLength);
      if (options !== undefined) return new Tokenizer(new AddonEncoder(options, maxLength), maxLength, 'addon');
      return new Tokenizer(new CoreEncoder(path, description, maxLength), maxLength, 'core');
    } catch (error) {
      if (error instanceof DistilserveError && error.code !== 'invalid_argument') throw error;
      throw new DistilserveError('model_invalid', `Expected a tokenizer in ${path}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Number of token ids, added tokens included. */
  get vocabSize(): number {
    return this.encoder.vocabSize;
  }

  async encode(texts: readonly string[]): Promise<EncodedTexts> {
    return this.encoder.encode(texts);
  }

  /** Frees the vocabulary; idempotent. */
  close(): void {
    this.encoder.close();
  }
}
