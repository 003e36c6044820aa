import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSetupEnvironment, type SetupEnvironment } from '../../src/setup/environment.js';
import { downloadLibtorch, findLibtorch, pinFor } from '../../src/setup/libtorch.js';
import type { LibtorchPin } from '../../src/setup/pins.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';
import { libtorchFiles, makeLibtorch, makeWheel, wheelName } from '../helpers/wheel.js';

const scratch = useScratch();

function environment(changes: Partial<SetupEnvironment>): SetupEnvironment {
  return { ...readSetupEnvironment({ HOME: scratch.dir }), ...changes };
}

/** Small wheels of the real ones' layout, and pip told to look nowhere else. */
async function makePin(): Promise<LibtorchPin> {
  const links = join(scratch.dir, 'links');
  const torchFiles = { ...libtorchFiles('2.11.0'), 'lib/libtorch_cuda.so': 'cuda', 'lib/libtorch_python.so': 'python' };
  const inTorch = Object.entries(torchFiles).map(([name, text]) => [`torch/${name}`, text]);
  const torch = await makeWheel(links, 'torchlike', {
    ...Object.fromEntries(inTorch),
    'torch/version.py': '',
    'torch/nn.py': '',
  });
  const cudart = await makeWheel(links, 'cudartlike', {
    'nvidia/cu13/lib/libcudart.so.13': 'rt',
    'nvidia/cu13/x.h': '',
  });
  process.env.PIP_NO_INDEX = '1';
  process.env.PIP_FIND_LINKS = links;
  const libraries = Object.keys(libtorchFiles('2.11.0')).flatMap((name) => /^lib\/(.*)/.exec(name)?.[1] ?? []);
  return { torch, libraries, companions: [{ wheel: cudart, file: 'nvidia/cu13/lib/libcudart.so.13' }] };
}

function tree(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();
}

const EXPECTED = ['nvidia/cu13/lib/libcudart.so.13', 'torch/version.py']
  .concat(Object.keys(libtorchFiles('2.11.0')).map((name) => `torch/${name}`))
  .sort();

describe('findLibtorch()', () => {
  it('takes LIBTORCH before the torch of Python and the cache', async () => {
    const dir = makeLibtorch(join(scratch.dir, 'mine'), '2.11.0');
    makeLibtorch(join(scratch.dir, 'cache/libtorch-2.11.0/torch'), '2.11.0');
    const options = { libtorch: dir, usePytorch: true, cacheDir: join(scratch.dir, 'cache') };
    expect(await findLibtorch({ environment: environment(options) })).to.equal(dir);
  });

  it('takes the torch of the Python on PATH before the cache when told', async () => {
    const dir = makeLibtorch(join(scratch.dir, 'site/torch'), '2.11.0');
    writeFileSync(join(dir, '__init__.py'), 'raise ImportError("must not be imported")');
    process.env.PYTHONPATH = join(scratch.dir, 'site');
    makeLibtorch(join(scratch.dir, 'cache/libtorch-2.11.0/torch'), '2.11.0');
    const options = { usePytorch: true, cacheDir: join(scratch.dir, 'cache') };
    expect(await findLibtorch({ environment: environment(options) })).to.equal(dir);
  });

  it('takes the cache, and the one with CUDA where that is asked for', async () => {
    const plain = makeLibtorch(join(scratch.dir, 'cache/libtorch-2.11.0/torch'), '2.11.0');
    const cuda = makeLibtorch(join(scratch.dir, 'cache/libtorch-2.11.0-cuda/torch'), '2.11.0');
    const here = environment({ cacheDir: join(scratch.dir, 'cache') });
    expect(await findLibtorch({ environment: here })).to.equal(plain);
    expect(await findLibtorch({ environment: here, cuda: true })).to.equal(cuda);
  });

  it('refuses a LIBTORCH of another version, naming both', async () => {
    const libtorch = makeLibtorch(join(scratch.dir, 'old'), '2.10.1');
    const error = await rejection(findLibtorch({ environment: environment({ libtorch }) }), 'invalid_config');
    expect(error.message).to.include('2.11.0').and.include('2.10.1').and.include('LIBTORCH');
  });

  it('refuses a LIBTORCH without the headers', async () => {
    mkdirSync(join(scratch.dir, 'empty'));
    const libtorch = join(scratch.dir, 'empty');
    const error = await rejection(findLibtorch({ environment: environment({ libtorch }) }), 'invalid_config');
    expect(error.message).to.include('include/torch/script.h');
  });

  it('refuses LIBTORCH_USE_PYTORCH=1 with a torch of another version', async () => {
    writeFileSync(join(makeLibtorch(join(scratch.dir, 'site/torch'), '2.9.0'), '__init__.py'), '');
    process.env.PYTHONPATH = join(scratch.dir, 'site');
    const here = environment({ usePytorch: true });
    const error = await rejection(findLibtorch({ environment: here }), 'invalid_config');
    expect(error.message).to.include('2.9.0').and.include('LIBTORCH_USE_PYTORCH');
  });
});

describe('readSetupEnvironment()', () => {
  it('puts the cache where DISTILSERVE_CACHE, XDG_CACHE_HOME or HOME say, in this order', () => {
    const all = { HOME: '/h', XDG_CACHE_HOME: '/x', DISTILSERVE_CACHE: '/d' };
    expect(readSetupEnvironment(all).cacheDir).to.equal('/d');
    expect(readSetupEnvironment({ ...all, DISTILSERVE_CACHE: '' }).cacheDir).to.equal('/x/distilserve');
    expect(readSetupEnvironment({ HOME: '/h' }).cacheDir).to.equal('/h/.cache/distilserve');
  });

  it("finds the hub's cache as its Python client does", () => {
    const all = { HOME: '/h', XDG_CACHE_HOME: '/x', HF_HOME: '/f', HF_HUB_CACHE: '/c' };
    expect(readSetupEnvironment(all).hub.cacheDir).to.equal('/c');
    expect(readSetupEnvironment({ ...all, HF_HUB_CACHE: '' }).hub.cacheDir).to.equal('/f/hub');
    expect(readSetupEnvironment({ HOME: '/h', XDG_CACHE_HOME: '/x' }).hub.cacheDir).to.equal('/x/huggingface/hub');
    expect(readSetupEnvironment({ HOME: '/h' }).hub.cacheDir).to.equal('/h/.cache/huggingface/hub');
  });
});

describe('pinFor()', () => {
  it('names LIBTORCH on a platform without a pinned download', () => {
    expect(() => pinFor('linux-riscv64', false))
      .to.throw('LIBTORCH')
      .with.property('code', 'invalid_config');
    expect(() => pinFor('darwin-arm64', true))
      .to.throw('LIBTORCH')
      .with.property('code', 'invalid_config');
  });
});

describe('downloadLibtorch()', function () {
  this.timeout(30_000);

  it('keeps what the CPU needs and removes the wheels; a second run asks nobody', async () => {
    const pin = await makePin();
    const root = join(scratch.dir, 'cache/libtorch');
    await downloadLibtorch(root, pin, undefined);
    expect(tree(join(scratch.dir, 'cache'))).to.deep.equal(EXPECTED.map((name) => `libtorch/${name}`));
    expect(readFileSync(join(root, 'nvidia/cu13/lib/libcudart.so.13'), 'utf8')).to.equal('rt');
    process.env.PATH = '';
    await downloadLibtorch(root, pin, undefined);
  });

  it('keeps the CUDA libraries, and not those of Python, when asked', async () => {
    const pin = await makePin();
    const extra = await makeWheel(join(scratch.dir, 'links'), 'cublaslike', {
      'nvidia/cu13/lib/libcublas.so.13': '',
      'nvidia/cu13/include/cublas.h': '',
    });
    const root = join(scratch.dir, 'cache/libtorch');
    await downloadLibtorch(root, pin, [extra]);
    const added = ['nvidia/cu13/lib/libcublas.so.13', 'torch/lib/libtorch_cuda.so'];
    expect(tree(root)).to.deep.equal([...EXPECTED, ...added].sort());
  });

  it('refuses a file with another sha256 and leaves nothing', async () => {
    const pin = await makePin();
    const wrong = { ...pin, torch: { ...pin.torch, sha256: '0'.repeat(64) } };
    const error = await rejection(
      downloadLibtorch(join(scratch.dir, 'cache/libtorch'), wrong, undefined),
      'download_failed',
    );
    expect(error.message).to.include(pin.torch.sha256).and.include('0'.repeat(64));
    expect(readdirSync(join(scratch.dir, 'cache'))).to.deep.equal([]);
  });

  it('lets two at once end with one whole tree', async () => {
    const pin = await makePin();
    const root = join(scratch.dir, 'cache/libtorch');
    await Promise.all([downloadLibtorch(root, pin, undefined), downloadLibtorch(root, pin, undefined)]);
    expect(tree(join(scratch.dir, 'cache'))).to.deep.equal(EXPECTED.map((name) => `libtorch/${name}`));
  });

  it("shows pip's own words when there is no such file", async () => {
    const pin = await makePin();
    const absent = { ...pin, torch: { ...pin.torch, requirement: 'torchlike==9.9' } };
    const error = await rejection(
      downloadLibtorch(join(scratch.dir, 'cache/libtorch'), absent, undefined),
      'download_failed',
    );
    expect(error.message).to.include('No matching distribution found for torchlike==9.9');
  });

  it('says what to install where there is no python3, and where it has no pip', async () => {
    const pin = await makePin();
    const attempt = () =>
      rejection(downloadLibtorch(join(scratch.dir, 'cache/libtorch'), pin, undefined), 'download_failed');
    process.env.PATH = join(scratch.dir, 'bin');
    expect((await attempt()).message)
      .to.include('there is no python3')
      .and.include('python3-pip');
    mkdirSync(join(scratch.dir, 'bin'));
    writeFileSync(join(scratch.dir, 'bin/python3'), '#!/bin/sh\necho "python3: No module named pip" >&2\nexit 1\n');
    chmodSync(join(scratch.dir, 'bin/python3'), 0o755);
    expect((await attempt()).message)
      .to.include('python3 has no pip')
      .and.include('python3-pip');
  });
});

describe('downloadLibtorch() when interrupted', function () {
  this.timeout(30_000);
  let server: Server;
  /** Resolves when pip holds half of the file. */
  let halfSent: Promise<unknown>;
  let clientGone: Promise<unknown>;

  beforeEach(async () => {
    server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    halfSent = new Promise((resolve) => {
      clientGone = new Promise((gone) => {
        server.on('request', (request, response) => {
          if (!request.url?.endsWith('.whl')) {
            const name = wheelName('torchlike');
            response.setHeader('content-type', 'text/html').end(`<!DOCTYPE html><a href="/files/${name}">${name}</a>`);
            return;
          }
          response.on('close', gone).writeHead(200, { 'content-length': 2_000_000 });
          response.write(Buffer.alloc(1_000_000), resolve);
        });
      });
    });
    const { port } = server.address() as AddressInfo;
    process.env.NO_PROXY = '127.0.0.1';
    process.env.PIP_INDEX_URL = `http://127.0.0.1:${port}/simple`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('ends pip and leaves nothing half-done', async () => {
    const pin = await makePin();
    delete process.env.PIP_NO_INDEX;
    delete process.env.PIP_FIND_LINKS;
    const controller = new AbortController();
    const cache = join(scratch.dir, 'cache');
    const outcome = downloadLibtorch(join(cache, 'libtorch'), pin, undefined, controller.signal).catch(
      (error) => error,
    );
    await halfSent;
    expect(readdirSync(cache)).to.have.length(1);
    controller.abort();
    expect(await outcome).to.have.property('name', 'AbortError');
    await clientGone;
    expect(existsSync(cache) && readdirSync(cache)).to.deep.equal([]);
  });
});
