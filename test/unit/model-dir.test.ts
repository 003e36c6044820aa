import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { modelDirExists, openModelDir, readManifestDigest } from '../../src/model/model-dir.js';
import { TextModel } from '../../src/model/text-model.js';
import { type DistilBertRecord, fixture, readFixture } from '../helpers/fixtures.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';
import { saveTinyClassifier, TINY_LABELS } from '../helpers/tiny-model.js';

const CPU = { device: 'cpu', dtype: 'float32' } as const;

const record = readFixture<DistilBertRecord>('distilbert-tiny.json');

const scratch = useScratch();
let path: string;
beforeEach(() => {
  path = join(scratch.dir, 'model');
});

describe('saveModelDir()', () => {
  it('publishes a directory named by its digest under a link, with a sha256 for every file', async () => {
    const digest = await saveTinyClassifier(path, { extra: { 'metrics.json': '{}\n' } });
    expect(readdirSync(scratch.dir).sort()).to.deep.equal(['model', `model-${digest.slice(0, 12)}`]);
    expect(readlinkSync(path)).to.equal(`model-${digest.slice(0, 12)}`);
    const files = readdirSync(path).sort();
    expect(files).to.deep.equal([
      'config.json',
      'manifest.json',
      'metrics.json',
      'model.pt',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    const manifest = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as { files: object };
    expect(Object.keys(manifest.files)).to.deep.equal(files.filter((name) => name !== 'manifest.json'));
  });

  it('replaces the model of that name, keeps the one before for its readers, and removes older ones', async () => {
    const digests: string[] = [];
    for (const seed of [1, 2, 3]) digests.push(await saveTinyClassifier(path, { seed }));
    expect(new Set(digests).size).to.equal(3);
    expect((await openModelDir(path)).digest).to.equal(digests[2]);
    const kept = digests.slice(1).map((digest) => `model-${digest.slice(0, 12)}`);
    expect(readdirSync(scratch.dir).sort()).to.deep.equal(['model', ...kept].sort());
  });

  it('leaves what a reader has opened as it was', async () => {
    await saveTinyClassifier(path);
    const opened = await openModelDir(path);
    await saveTinyClassifier(path, { seed: 1 });
    expect((await openModelDir(opened.dir)).digest).to.equal(opened.digest);
    const model = TextModel.load(opened, CPU);
    expect((await model.classify(['good'], 1)).results[0]?.label).to.equal('neutral');
    model.close();
  });

  it('shows a reader one whole model at any time while others are saved over it', async () => {
    const digests = new Set([await saveTinyClassifier(path, { seed: 1 })]);
    let saving = true;
    const read = (async () => {
      let reads = 0;
      for (; saving; reads++) expect(digests).to.include((await openModelDir(path)).digest);
      return reads;
    })();
    digests.add(await saveTinyClassifier(join(scratch.dir, 'other'), { seed: 2 }));
    for (let save = 0; save < 20; save++) await saveTinyClassifier(path, { seed: 1 + (save % 2) });
    saving = false;
    expect(await read).to.be.above(5);
  });

  it('saves the same model twice as one', async () => {
    const first = await saveTinyClassifier(path, { seed: 1 });
    expect(await saveTinyClassifier(path, { seed: 1 })).to.equal(first);
    expect(readdirSync(scratch.dir)).to.have.length(2);
    expect((await openModelDir(path)).digest).to.equal(first);
  });

  it('leaves a sound model under the name when several are saved at once', async () => {
    for (let round = 0; round < 20; round++) {
      // Seed 0 comes back in every round: a version that others hold for outdated.
      const seeds = [0, 3 * round + 1, 3 * round + 2];
      const digests = await Promise.all(seeds.map((seed) => saveTinyClassifier(path, { seed })));
      expect(digests).to.include((await openModelDir(path)).digest);
    }
    expect(readdirSync(scratch.dir).filter((name) => name.includes('staging'))).to.deep.equal([]);
    await saveTinyClassifier(path, { seed: 1000 });
    expect(readdirSync(scratch.dir), 'the link, its version and the one before').to.have.length(3);
  });

  for (const name of ['model.pt', 'manifest.json']) {
    it(`mends a model whose ${name} was damaged when it is saved again`, async () => {
      const digest = await saveTinyClassifier(path);
      appendFileSync(join(path, name), ' ');
      expect(await saveTinyClassifier(path)).to.equal(digest);
      expect((await openModelDir(path)).digest).to.equal(digest);
      expect(readdirSync(scratch.dir)).to.have.length(2);
    });
  }

  it("writes a tokenizer.json that cuts at the model's max_length and pads nothing, whatever the base's says", async () => {
    const base = JSON.parse(readFileSync(join(fixture('distilbert-tiny'), 'tokenizer.json'), 'utf8'));
    expect(base.padding.strategy, "the base's padding").to.deep.equal({ Fixed: 16 });
    await saveTinyClassifier(path, { config: { maxLength: 12 } });
    const file = join(path, 'tokenizer.json');
    const truncation = { direction: 'Right', max_length: 12, strategy: 'LongestFirst', stride: 0 };
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.deep.equal({ ...base, padding: null, truncation });
    // As a program of somebody else opens it: the core alone, with no settings of ours.
    const { Tokenizer } = createRequire(import.meta.url)('tokenizers');
    const core = Tokenizer.fromFile(file);
    for (const [row, text] of record.texts.entries()) {
      expect((await core.encode(text)).getIds()).to.deep.equal(record.idsCutTo12[row]);
    }
  });

  it('never replaces a directory or file that it did not make', async () => {
    mkdirSync(path);
    writeFileSync(join(path, 'thesis.txt'), 'mine');
    const error = await rejection(saveTinyClassifier(path), 'invalid_argument');
    expect(error.message).to.include('--out');
    expect(readdirSync(path)).to.deep.equal(['thesis.txt']);
    const file = join(scratch.dir, 'file');
    writeFileSync(file, 'mine');
    await rejection(saveTinyClassifier(file), 'invalid_argument');
    expect(readFileSync(file, 'utf8')).to.equal('mine');
    expect(readdirSync(scratch.dir).sort()).to.deep.equal(['file', 'model']);
  });

  it('leaves nothing behind when writing fails, and the model before in place', async () => {
    const digest = await saveTinyClassifier(path);
    const before = readdirSync(scratch.dir).sort();
    const broken = saveTinyClassifier(path, { seed: 1, extra: { 'no/such/folder': '' } });
    expect(await broken.catch((error: NodeJS.ErrnoException) => error.code)).to.equal('ENOENT');
    expect(readdirSync(scratch.dir).sort()).to.deep.equal(before);
    expect((await openModelDir(path)).digest).to.equal(digest);
  });

  it('removes what a killed process left of this model, and nothing else', async () => {
    const { pid } = spawnSync('true');
    const dead = `model.staging-${hostname()}-${pid}-00000000`;
    const kept = [
      `model.staging-${hostname()}-${process.pid}-00000000`,
      `model.staging-elsewhere-${pid}-00000000`,
      `other.staging-${hostname()}-${pid}-00000000`,
      'model-notes',
      'model-0123456789abc',
    ];
    for (const name of [dead, ...kept]) mkdirSync(join(scratch.dir, name));
    await saveTinyClassifier(path);
    const names = readdirSync(scratch.dir);
    expect(names).to.include.members(kept);
    expect(names).not.to.include(dead);
  });

  it("leaves a directory alone that is named like a version and is none, somebody's backup", async () => {
    const backups = ['model-202511251200', 'model-202511251201'].map((name) => join(scratch.dir, name));
    for (const backup of backups) mkdirSync(backup);
    writeFileSync(join(backups[0]!, 'thesis.txt'), 'mine');
    await saveTinyClassifier(path, { seed: 1 });
    cpSync(join(path, '/'), backups[1]!, { recursive: true, dereference: true });
    for (const seed of [2, 3]) await saveTinyClassifier(path, { seed });
    expect(readdirSync(backups[0]!)).to.deep.equal(['thesis.txt']);
    expect((await openModelDir(backups[1]!)).config.labels).to.deep.equal(TINY_LABELS);
    expect(readdirSync(scratch.dir), 'the link, its version, the one before and the backups').to.have.length(5);
  });

  it('never replaces a link that it did not make', async () => {
    for (const target of ['elsewhere', 'model-notes', join(scratch.dir, 'model-0123456789ab')]) {
      symlinkSync(target, path);
      expect((await rejection(saveTinyClassifier(path), 'invalid_argument')).message).to.include(target);
      expect(readlinkSync(path)).to.equal(target);
      rmSync(path);
    }
  });

  it('names the folder that it cannot make', async () => {
    writeFileSync(join(scratch.dir, 'file'), 'mine');
    for (const below of ['file/model', 'file/a/model']) {
      const error = await rejection(saveTinyClassifier(join(scratch.dir, below)), 'storage_failed');
      expect(error.message)
        .to.include(join(scratch.dir, below, '..'))
        .and.to.include('--out');
    }
  });

  it('makes the directories above it', async () => {
    await saveTinyClassifier(join(scratch.dir, 'a/b/model'));
    expect(lstatSync(join(scratch.dir, 'a/b/model')).isSymbolicLink()).to.equal(true);
  });
});

describe('openModelDir()', () => {
  it('gives back the configuration that was saved', async () => {
    const digest = await saveTinyClassifier(path, { config: { maxLength: 20, temperature: 1.5 } });
    const { config, digest: read } = await openModelDir(path);
    expect(read).to.equal(digest);
    expect(await readManifestDigest(path)).to.equal(digest);
    expect(config).to.deep.include({ kind: 'classifier', labels: TINY_LABELS, maxLength: 20, temperature: 1.5 });
    expect(config.architecture).to.deep.include({ nLayers: 2, dim: 32, numLabels: 3, layerNormEps: 1e-12 });
  });

  it('names the commands where there is no model', async () => {
    for (const absent of [path, scratch.dir]) {
      const error = await rejection(openModelDir(absent), 'model_missing');
      expect(error.message).to.include('npm run train').and.to.include(absent);
      expect(await modelDirExists(absent)).to.equal(false);
    }
  });

  for (const name of ['model.pt', 'config.json', 'tokenizer.json', 'tokenizer_config.json', 'metrics.json']) {
    it(`names ${name} when it was changed or removed`, async () => {
      await saveTinyClassifier(path, { extra: { 'metrics.json': '{}' } });
      appendFileSync(join(path, name), ' ');
      const changed = await rejection(openModelDir(path), 'model_invalid');
      expect(changed.message).to.include(`/${name}`).and.to.include('sha256');
      rmSync(join(path, name));
      expect((await rejection(openModelDir(path), 'model_invalid')).message).to.include(`/${name}`);
    });

    it(`names ${name} when it is another model's`, async () => {
      await saveTinyClassifier(path, { extra: { 'metrics.json': '{}' } });
      const other = join(scratch.dir, 'other');
      await saveTinyClassifier(other, {
        seed: 9,
        config: { labels: ['a', 'b', 'c'], maxLength: 30 },
        extra: { 'metrics.json': '{"other":true}' },
      });
      copyFileSync(join(other, name), join(path, name));
      expect((await rejection(openModelDir(path), 'model_invalid')).message).to.include(`/${name}`);
    });
  }

  const manifests: [string, string, 'model_invalid' | 'model_missing'][] = [
    ['that is no JSON', 'files', 'model_invalid'],
    ['that is no object', '[]', 'model_invalid'],
    ['without files', '{}', 'model_invalid'],
    ['that leaves the tokenizer out', '{"files":{"model.pt":"0","config.json":"0"}}', 'model_invalid'],
    [
      'that names a file elsewhere',
      '{"files":{"../x":"0","model.pt":"0","config.json":"0","tokenizer.json":"0"}}',
      'model_invalid',
    ],
  ];
  for (const [what, text, code] of manifests) {
    it(`refuses a manifest ${what}`, async () => {
      await saveTinyClassifier(path);
      writeFileSync(join(path, 'manifest.json'), text);
      expect((await rejection(openModelDir(path), code)).message).to.include('manifest.json');
    });
  }
});
