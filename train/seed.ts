/** `npm run seed`: embeds the catalogue with the encoder and puts it into the configured store, replacing what it held. */
import { performance } from 'node:perf_hooks';
import { choosePlacement } from '../src/native/placement.js';
import { openStore } from '../src/store/open-store.js';
import { loadCatalogueConfig } from './lib/catalogue-flags.js';
import { embedProducts } from './lib/embed-products.js';
import { readProducts } from './lib/products.js';
import { script } from './lib/script.js';

await script(async () => {
  const started = performance.now();
  const { config, productsFile } = loadCatalogueConfig(process.argv.slice(2));
  const products = await readProducts(productsFile);
  const { placement } = choosePlacement(config.device, config.dtype);
  const { points, encoderDigest, truncated } = await embedProducts(products, config.encoderDir, placement);
  const embedded = performance.now();
  const store = openStore(config, encoderDigest);
  try {
    await store.replaceAll(points, encoderDigest);
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
    const place = store.kind === 'embedded' ? config.storePath : `Qdrant, collection ${config.qdrantCollection}`;
    const cut = truncated > 0 ? `; ${truncated} texts were cut to the encoder's max_length` : '';
    process.stdout.write(
      `seeded ${await store.count()} products of ${productsFile} into ${place} in ${seconds(performance.now() - started)} (embedding ${seconds(embedded - started)})${cut}\n`,
    );
  } finally {
    await store.close();
  }
});
