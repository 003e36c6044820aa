import type { EmbeddedProduct } from '../../src/domain/types.js';

export const ENCODER = 'e'.repeat(64);

/** A product whose vector lies on the unit circle in the first two of `dim` dimensions: cosines are known by angles. */
export function onCircle(id: string, degrees: number, dim = 4): EmbeddedProduct {
  const vector = new Float32Array(dim);
  vector[0] = Math.cos((degrees * Math.PI) / 180);
  vector[1] = Math.sin((degrees * Math.PI) / 180);
  return { product: { id, name: `Name of ${id}`, description: `About ${id}` }, vector };
}

/** A product with the given cosine to `onCircle(…, 0)`. */
export function withCosine(id: string, cosine: number): EmbeddedProduct {
  return onCircle(id, (Math.acos(cosine) * 180) / Math.PI);
}
