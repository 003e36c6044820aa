import { DistilserveError } from '../domain/errors.js';
import type { EmbeddedProduct, Product } from '../domain/types.js';

const NORM_TOLERANCE = 1e-5;

/** Checked points, their vectors in one matrix. */
export interface PackedPoints {
  readonly dim: number;
  readonly products: readonly Product[];
  /** [products, dim] */
  readonly vectors: Float32Array;
}

/**
 * Checks points before any store keeps them.
 *
 * @throws DistilserveError invalid_argument: none at all, an id twice or not valid Unicode, vectors of different size or
 * of an L2 norm other than 1 ± 1e-5
 */
export function packPoints(points: readonly EmbeddedProduct[]): PackedPoints {
  const dim = points[0]?.vector.length ?? 0;
  if (dim === 0) throw invalid('Expected at least one product with a vector but received none');
  const vectors = new Float32Array(points.length * dim);
  const ids = new Set<string>();
  points.forEach(({ product, vector }, row) => {
    const id = JSON.stringify(product.id);
    if (!isProductId(product.id))
      throw invalid(`Expected a product id of valid Unicode, not empty, but received ${id}`);
    if (ids.has(product.id)) throw invalid(`Expected every product once but ${id} is there twice`);
    ids.add(product.id);
    if (vector.length !== dim) {
      throw invalid(`Expected the vector of ${id} to have ${dim} numbers as the first one but it has ${vector.length}`);
    }
    const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (!(Math.abs(norm - 1) <= NORM_TOLERANCE)) {
      throw invalid(`Expected the vector of ${id} to have L2 norm 1 (within ${NORM_TOLERANCE}) but it is ${norm}`);
    }
    vectors.set(vector, row * dim);
  });
  return { dim, products: points.map(({ product }) => product), vectors };
}

/** Any text but the empty one and one with half a surrogate pair, which UTF-8 (files, HTTP, UUIDs) cannot tell apart. */
export function isProductId(id: string): boolean {
  return id !== '' && !/\p{Surrogate}/u.test(id);
}

export function productNotFound(id: string): DistilserveError {
  const shown = JSON.stringify(id.length > 80 ? `${id.slice(0, 80)}…` : id);
  return new DistilserveError('product_not_found', `Expected the id of a product in the store but received ${shown}`);
}

function invalid(message: string): DistilserveError {
  return new DistilserveError('invalid_argument', message);
}
