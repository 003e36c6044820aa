import type { Product } from '../../src/domain/types.js';
import { rankNeighbors } from '../../src/store/ranking.js';
import { randomNumbers, shuffled } from './random.js';

export interface CategorizedProduct extends Product {
  readonly category: string;
}

/**
 * Mean share, 0 to 1, of each product's `k` nearest others that are of its own category, ties by id.
 *
 * @param similarity of two products, by their positions
 */
export function nearestShare(
  products: readonly CategorizedProduct[],
  k: number,
  similarity: (a: number, b: number) => number,
): number {
  const categoryOf = new Map(products.map(({ id, category }) => [id, category]));
  return mean(
    products.map(({ category }, at) => {
      const others = products.flatMap(({ id }, other) => (other === at ? [] : [{ id, score: similarity(at, other) }]));
      const nearest = rankNeighbors(others, k, true) ?? [];
      return mean(nearest.map(({ id }) => (categoryOf.get(id) === category ? 1 : 0)));
    }),
  );
}

/** What `k` others drawn at random give: the expected value, which does not depend on `k`, and one seeded draw. */
export function randomShare(
  products: readonly CategorizedProduct[],
  k: number,
  seed: number,
): { expected: number; drawn: number } {
  const sizes = new Map<string, number>();
  for (const { category } of products) sizes.set(category, (sizes.get(category) ?? 0) + 1);
  const random = randomNumbers(seed);
  return {
    expected: mean(products.map(({ category }) => (sizes.get(category)! - 1) / (products.length - 1))),
    drawn: mean(
      products.map((product) => {
        const others = shuffled(
          products.filter((other) => other !== product),
          random,
        ).slice(0, k);
        return mean(others.map(({ category }) => (category === product.category ? 1 : 0)));
      }),
    ),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
