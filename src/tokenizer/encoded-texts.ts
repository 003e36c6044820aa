/** Token ids of several texts, as the addon takes them. */
export interface EncodedTexts {
  /** [tokens], [CLS] and [SEP] included. */
  readonly ids: Int32Array;
  /** [texts + 1]; text `i` is `ids[offsets[i]]` up to `offsets[i + 1]`. */
  readonly offsets: Int32Array;
  /** [texts]; true where a text had more tokens than the limit. */
  readonly truncated: readonly boolean[];
}

/** One way to make ids of texts. */
export interface Encoder {
  /** Number of token ids, added tokens included. */
  readonly vocabSize: number;
  encode(texts: readonly string[]): EncodedTexts | Promise<EncodedTexts>;
  close(): void;
}
