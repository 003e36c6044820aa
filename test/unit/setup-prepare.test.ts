import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../../src/config.js';
import type { Product } from '../../src/domain/types.js';
import { readManifestDigest } from '../../src/model/model-dir.js';
import { prepare, whySeed } from '../../src/setup/prepare.js';
import { encodeStoreFile } from '../../src/store/store-file.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();
const PRODUCTS: Product[] = [
  { id: 'SKU-1', name: 'Kettle', description: 'Boils' },
  { id: 'SKU-2', name: 'Lamp', description: 'Shines' },
];

describe('prepare() with given paths', () => {
  for (const [flag, command] of [
    ['--model-dir', 'npm run train '],
    ['--encoder-dir', 'npm run train:encoder '],
  ] as const) {
    it(`refuses a missing ${flag}, names the command and writes nothing`, async () => {
      const dir = join(scratch.dir, 'missing');
      const config = loadConfig([flag, dir], {});
      const error = await rejection(prepare(config, AbortSignal.timeout(5000)), 'model_missing');
      expect(error.message).to.include(dir).and.include(command);
      expect(readdirSync(scratch.dir)).to.deep.equal([]);
    });
  }
});

describe('whySeed()', () => {
  async function seeded(encoder?: string): Promise<{ storePath: string; encoderDir: string; catalogue: string }> {
    const encoderDir = join(scratch.dir, 'encoder');
    mkdirSync(encoderDir);
    const files = { 'model.pt': '0', 'config.json': '0', 'tokenizer.json': '0' };
    writeFileSync(join(encoderDir, 'manifest.json'), JSON.stringify({ files }));
    const digest = encoder ?? (await readManifestDigest(encoderDir));
    const storePath = join(scratch.dir, 'products.store');
    writeFileSync(
      storePath,
      encodeStoreFile({ dim: 1, products: PRODUCTS, vectors: new Float32Array([1, 1]) }, digest),
    );
    const catalogue = join(scratch.dir, 'products.jsonl');
    writeFileSync(
      catalogue,
      PRODUCTS.toReversed()
        .map((product) => JSON.stringify(product))
        .join('\n'),
    );
    return { storePath, encoderDir, catalogue };
  }

  it('is undefined for the same catalogue and encoder, whatever the order', async () => {
    const { catalogue, ...config } = await seeded();
    expect(await whySeed(config, catalogue)).to.equal(undefined);
  });

  it('tells a missing file, another encoder, a changed catalogue and a damaged file apart', async () => {
    const { catalogue, ...config } = await seeded();
    expect(await whySeed({ ...config, storePath: join(scratch.dir, 'none') }, catalogue)).to.include('no such file');
    writeFileSync(catalogue, JSON.stringify({ ...PRODUCTS[0], description: 'Boils fast' }));
    expect(await whySeed(config, catalogue)).to.include('catalogue');
    writeFileSync(
      join(config.encoderDir, 'manifest.json'),
      JSON.stringify({ files: { 'model.pt': '1', 'config.json': '0', 'tokenizer.json': '0' } }),
    );
    expect(await whySeed(config, catalogue)).to.include('another encoder');
    writeFileSync(config.storePath, 'DSTORE');
    expect(await whySeed(config, catalogue)).to.include('cut short');
  });
});
