import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Config, loadConfig } from '../../src/config.js';
import type { Product } from '../../src/domain/types.js';
import { readManifestDigest } from '../../src/model/model-dir.js';
import { missingParts, prepare, whySeed } from '../../src/setup/prepare.js';
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

function makeModel(dir: string): string {
  mkdirSync(dir);
  const files = { 'model.pt': '0', 'config.json': '0', 'tokenizer.json': '0' };
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify({ files }));
  return dir;
}

describe('missingParts()', () => {
  /** The configuration of `flags`, its default paths below the scratch directory. */
  function configOf(...flags: string[]): Config {
    const config = loadConfig(flags, {});
    const at = (given: boolean, path: string, name: string) => (given ? path : join(scratch.dir, name));
    return {
      ...config,
      modelDir: at(config.modelDirGiven, config.modelDir, 'sentiment'),
      encoderDir: at(config.encoderDirGiven, config.encoderDir, 'encoder'),
      storePath: at(config.storePathGiven, config.storePath, 'products.store'),
    };
  }
  const GIVEN: [title: string, flags: () => string[]][] = [
    ['MODEL_DIR', () => ['--model-dir', makeModel(join(scratch.dir, 'mine'))]],
    ['ENCODER_DIR', () => ['--encoder-dir', makeModel(join(scratch.dir, 'mine'))]],
    ['STORE=qdrant', () => ['--store', 'qdrant', '--qdrant-url', 'http://127.0.0.1:1']],
  ];

  it('trains, makes the encoder and seeds when nothing is there and nothing was given, all on the device', async () => {
    const config = configOf('--device', 'cpu');
    expect(await missingParts(config)).to.deep.equal([
      { command: 'train', file: 'train.js', args: ['--device', 'cpu'] },
      { command: 'train:encoder', file: 'encoder.js' },
      {
        command: 'seed',
        file: 'seed.js',
        env: { STORE: 'embedded', STORE_PATH: config.storePath, ENCODER_DIR: config.encoderDir, DEVICE: 'cpu' },
      },
    ]);
  });

  for (const [title, flags] of GIVEN) {
    it(`runs nothing with ${title} given`, async () => {
      const config = configOf(...flags());
      if (!config.modelDirGiven) makeModel(config.modelDir);
      expect(await missingParts(config)).to.deep.equal([]);
    });
  }

  for (const [title, flags] of GIVEN.slice(1)) {
    it(`names npm run train for a default classifier that is missing with ${title} given`, async () => {
      const config = configOf(...flags());
      const error = await rejection(missingParts(config), 'model_missing');
      expect(error.message)
        .to.include(config.modelDir)
        .and.match(/npm run train$/);
    });
  }

  it('seeds nothing at a STORE_PATH that was given, be it the default', async () => {
    const config = configOf('--store-path', loadConfig([], {}).storePath);
    expect((await missingParts(config)).map(({ command }) => command)).to.deep.equal(['train']);
  });
});

describe('whySeed()', () => {
  async function seeded(encoder?: string): Promise<{ storePath: string; encoderDir: string; catalogue: string }> {
    const encoderDir = makeModel(join(scratch.dir, 'encoder'));
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

  for (const line of ['{"id": "SKU-1"', 'null']) {
    it(`says which line of the catalogue is no product: ${line}`, async () => {
      const { catalogue, ...config } = await seeded();
      writeFileSync(catalogue, line);
      const error = await rejection(whySeed(config, catalogue), 'data_invalid');
      expect(error.message).to.include(catalogue).and.include(JSON.stringify(line));
    });
  }
});
