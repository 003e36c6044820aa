import { availableParallelism } from 'node:os';
import { DistilserveError } from '../../src/domain/errors.js';
import type { EmbeddedProduct, Placement, Product } from '../../src/domain/types.js';
import { openModelDir } from '../../src/model/model-dir.js';
import { TextModel } from '../../src/model/text-model.js';
import { productText } from './products.js';
import { Progress } from './progress.js';

const BATCH = 32;

export interface EmbeddedCatalogue {
  readonly points: readonly EmbeddedProduct[];
  readonly encoderDigest: string;
  /** Products whose text was longer than the encoder's max_length. */
  readonly truncated: number;
}

/**
 * Embeds products with an encoder's model directory, showing progress on stderr.
 *
 * @throws DistilserveError model_missing, model_invalid when it is no encoder
 */
export async function embedProducts(
  products: readonly Product[],
  encoderDir: string,
  placement: Placement,
): Promise<EmbeddedCatalogue> {
  const source = await openModelDir(encoderDir);
  if (source.config.kind !== 'encoder') {
    throw new DistilserveError(
      'model_invalid',
      `Expected an encoder in ENCODER_DIR ${encoderDir} but it holds a classifier; make one with: npm run train:encoder`,
    );
  }
  const model = TextModel.load(source, placement);
  const points: EmbeddedProduct[] = [];
  let truncated = 0;
  try {
    await Progress.during(products.length, 'embedding {bar} {value}/{total} products', async (progress) => {
      for (let start = 0; start < products.length; start += BATCH) {
        const batch = products.slice(start, start + BATCH);
        const embedded = await model.embed(batch.map(productText), availableParallelism());
        const dim = embedded.vectors.length / batch.length;
        batch.forEach((product, row) => {
          points.push({ product, vector: embedded.vectors.slice(row * dim, (row + 1) * dim) });
        });
        truncated += embedded.truncated.filter(Boolean).length;
        await progress.step({}, batch.length);
      }
    });
  } finally {
    model.close();
  }
  return { points, encoderDigest: source.digest, truncated };
}
