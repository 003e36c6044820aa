import { type Config, loadConfig } from '../../src/config.js';
import { DistilserveError } from '../../src/domain/errors.js';

const DEFAULT_PRODUCTS = 'train/data/products.jsonl';

/**
 * The settings of the server, and `--products FILE` (train/data/products.jsonl unless given).
 *
 * @throws DistilserveError invalid_config
 */
export function loadCatalogueConfig(argv: readonly string[]): { config: Config; productsFile: string } {
  const rest = [...argv];
  const at = rest.findIndex((arg) => arg === '--products' || arg.startsWith('--products='));
  if (at === -1) return { config: loadConfig(rest), productsFile: DEFAULT_PRODUCTS };
  const inline = rest[at]!.split('=').slice(1).join('=');
  const [, separate] = rest.splice(at, rest[at] === '--products' ? 2 : 1);
  const productsFile = inline || separate;
  if (!productsFile || productsFile.startsWith('--')) {
    throw new DistilserveError('invalid_config', 'Expected a file after --products but received none');
  }
  return { config: loadConfig(rest), productsFile };
}
