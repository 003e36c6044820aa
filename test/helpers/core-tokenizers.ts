/** Hugging Face's own core, the npm package `tokenizers`, as the oracle of tests: the part of it that they use. */
import { createRequire } from 'node:module';

interface Encoding {
  getIds(): number[];
  getOverflowing(): unknown[];
}

interface Normalizer {
  normalizeString(text: string): string;
}

interface BertNormalizerOptions {
  cleanText: boolean;
  handleChineseChars: boolean;
  stripAccents: boolean;
  lowercase: boolean;
}

export interface CoreTokenizer {
  disablePadding(): void;
  setTruncation(maxLength: number): void;
  getVocabSize(withAddedTokens: boolean): number;
  encode(text: string): Promise<Encoding>;
}

interface CorePackage {
  Tokenizer: { fromFile(path: string): CoreTokenizer; fromString(json: string): CoreTokenizer };
  bertNormalizer(options: BertNormalizerOptions): Normalizer;
  nfdNormalizer(): Normalizer;
  bertPreTokenizer(): { preTokenizeString(text: string): [string, [number, number]][] };
}

const require = createRequire(import.meta.url);

export const core = require('tokenizers') as CorePackage;
export const CORE_VERSION = (require('tokenizers/package.json') as { version: string }).version;

/** The core without padding, cut to `maxLength`. */
export function coreFromFile(path: string, maxLength: number): CoreTokenizer {
  return prepared(core.Tokenizer.fromFile(path), maxLength);
}

export function coreFromJson(json: string, maxLength: number): CoreTokenizer {
  return prepared(core.Tokenizer.fromString(json), maxLength);
}

function prepared(tokenizer: CoreTokenizer, maxLength: number): CoreTokenizer {
  tokenizer.disablePadding();
  tokenizer.setTruncation(maxLength);
  return tokenizer;
}
