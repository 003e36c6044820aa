/**
 * `npm run neighbors`: how good the recommendations are, measured by what the embedded text does not say: the mean share
 * of a product's 5 nearest that are of its own category, beside random neighbours and TF-IDF over the same text.
 */
import { DistilserveError } from '../src/domain/errors.js';
import { choosePlacement } from '../src/native/placement.js';
import { loadCatalogueConfig } from './lib/catalogue-flags.js';
import { type CategorizedProduct, nearestShare, randomShare } from './lib/category-share.js';
import { embedProducts } from './lib/embed-products.js';
import { productText, readProducts } from './lib/products.js';
import { script } from './lib/script.js';
import { termCosine, tfIdf } from './lib/tf-idf.js';

const K = 5;
const SEED = 42;

await script(async () => {
  const { config, productsFile } = loadCatalogueConfig(process.argv.slice(2));
  const products = (await readProducts(productsFile)).map((product): CategorizedProduct => {
    if (product.category !== undefined) return { ...product, category: product.category };
    throw new DistilserveError('data_invalid', `Expected a category for every product but ${product.id} has none`);
  });
  if (products.length <= K) {
    throw new DistilserveError(
      'data_invalid',
      `Expected more than ${K} products but ${productsFile} has ${products.length}`,
    );
  }
  const { placement } = choosePlacement(config.device, config.dtype);
  const { points } = await embedProducts(products, config.encoderDir, placement);
  const terms = tfIdf(products.map(productText));
  const random = randomShare(products, K, SEED);
  const rows: [string, number][] = [
    [`encoder ${config.encoderDir}`, nearestShare(products, K, (a, b) => dot(points[a]!.vector, points[b]!.vector))],
    ['TF-IDF', nearestShare(products, K, (a, b) => termCosine(terms[a]!, terms[b]!))],
    [`random, drawn with seed ${SEED}`, random.drawn],
    ['random, expected', random.expected],
  ];
  const categories = new Set(products.map(({ category }) => category)).size;
  const width = Math.max(...rows.map(([name]) => name.length));
  process.stdout.write(
    [
      `${products.length} products in ${categories} categories (${productsFile})`,
      `Mean share of the ${K} nearest neighbours in the product's own category, which is not in the embedded text:`,
      ...rows.map(([name, share]) => `  ${name.padEnd(width)}  ${share.toFixed(4)}`),
      '',
    ].join('\n'),
  );
});

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}
