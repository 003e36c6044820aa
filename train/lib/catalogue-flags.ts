import { type Config, loadConfig } from '../../src/config.js';
import { readFlags, text } from './flags.js';

const FLAGS = {
  products: text('train/data/products.jsonl', 'Catalogue; beside it, every flag of the server is taken'),
};

/**
 * The settings of the server, and `--products FILE`.
 *
 * @throws DistilserveError invalid_config
 */
export function loadCatalogueConfig(argv: readonly string[]): { config: Config; productsFile: string } {
  const others: string[] = [];
  const { products } = readFlags(FLAGS, argv, others);
  return { config: loadConfig(others), productsFile: products };
}
