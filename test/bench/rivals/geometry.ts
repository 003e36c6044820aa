/** What a forward must do at least: the bytes it has to read and the arithmetic it cannot leave out. */
export const RACE_DTYPES = ['float32', 'int8', 'bfloat16'] as const;
export type RaceDtype = (typeof RACE_DTYPES)[number];

/** Of config.json. */
export interface Geometry {
  readonly layers: number;
  readonly dim: number;
  readonly hiddenDim: number;
}

const BYTES: Readonly<Record<RaceDtype, number>> = { float32: 4, bfloat16: 2, int8: 1 };

/** Bytes of the encoder's matrices; of the embeddings a text needs a few rows only. */
export function weightBytes({ layers, dim, hiddenDim }: Geometry, dtype: RaceDtype): number {
  return BYTES[dtype] * layers * (4 * dim * dim + 2 * dim * hiddenDim);
}

/**
 * Multiplications and additions for a text of `tokens` tokens. Of the last layer only the first token is asked for, so
 * that its keys and values are all that the others need there.
 */
export function operations({ layers, dim, hiddenDim }: Geometry, tokens: number): number {
  const keysAndValues = 2 * tokens * 2 * dim * dim;
  const ofToken = 2 * (2 * dim * dim + 2 * dim * hiddenDim) + 4 * tokens * dim;
  return (layers - 1) * (keysAndValues + tokens * ofToken) + keysAndValues + ofToken + 2 * dim * dim;
}
