import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import type { DistilserveError } from '../../src/domain/errors.js';
import { EmbeddedStore } from '../../src/store/embedded-store.js';
import { packPoints } from '../../src/store/points.js';
import { decodeStoreFile, encodeStoreFile } from '../../src/store/store-file.js';
import { ENCODER, onCircle } from '../helpers/points.js';
import { rejection } from '../helpers/rejection.js';

/** A file with this header, one vector of four numbers and the right sha256. */
function storeFileOf(header: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(header));
  const body = Buffer.concat([Buffer.from('DSTORE\r\n'), length, Buffer.from(header), Buffer.alloc(16)]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

describe('EmbeddedStore', () => {
  let dir: string;
  let path: string;
  let store: EmbeddedStore;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'distilserve-embedded-'));
    path = join(dir, 'products.store');
    store = new EmbeddedStore(path, ENCODER);
  });

  afterEach(async () => {
    await store.close();
    await rm(dir, { recursive: true });
  });

  it('keeps the whole product, vectors beside their ids', async () => {
    const points = [onCircle('b', 0), onCircle('ä', 90), onCircle('c', 45)];
    const full = { ...points[0]!, product: { ...points[0]!.product, category: 'Tea', brand: 'Ö', price: 1.5 } };
    await store.replaceAll([full, ...points.slice(1)], ENCODER);
    const { products, vectors, dim, encoderDigest } = decodeStoreFile(await readFile(path), path);
    expect(products).to.deep.equal([full.product, points[1]!.product, points[2]!.product]);
    expect([...vectors]).to.deep.equal(points.flatMap(({ vector }) => [...vector]));
    expect({ dim, encoderDigest }).to.deep.equal({ dim: 4, encoderDigest: ENCODER });
  });

  it('refuses a file that is cut at any byte', () => {
    const bytes = encodeStoreFile(packPoints([onCircle('a', 0), onCircle('b', 10)]), ENCODER);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeStoreFile(bytes.subarray(0, length), path), String(length)).to.throw(/npm run seed/);
    }
  });

  it('refuses a file with any bit wrong', () => {
    const bytes = encodeStoreFile(packPoints([onCircle('a', 0), onCircle('b', 10)]), ENCODER);
    for (let position = 0; position < bytes.length; position++) {
      const damaged = Buffer.from(bytes);
      damaged[position]! ^= 1 << (position % 8);
      expect(() => decodeStoreFile(damaged, path), String(position)).to.throw(/npm run seed/);
    }
  });

  it('says unavailable for a damaged file, and takes up the good one that replaces it', async () => {
    const good = encodeStoreFile(packPoints([onCircle('a', 0), onCircle('b', 10)]), ENCODER);
    await writeFile(path, good.subarray(0, 100));
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = (await rejection(store.neighbors('a', 5))) as DistilserveError;
      expect(error.code).to.equal('store_unavailable');
      expect(error.message).to.match(/cut short or damaged.*npm run seed/);
      expect(error.message).not.to.contain(dir);
      expect(error.cause).to.contain(path);
      expect(error.retryAfterSeconds).to.be.above(0);
    }
    await writeFile(path, good);
    expect(await store.neighbors('a', 5)).to.have.lengthOf(1);
    await rm(path);
    expect(await rejection(store.neighbors('a', 5))).to.have.property('code', 'store_unavailable');
  });

  it('says unavailable for a header that is no JSON or lacks a field, though the sha256 is right', () => {
    const product = { id: 'a', title: 'A' };
    const header = { format: 1, encoder: ENCODER, dim: 4, products: [product] };
    expect(decodeStoreFile(storeFileOf(JSON.stringify(header)), path).products).to.deep.equal([product]);
    const wrong: [string, RegExp][] = [
      ['{"format":1,', /no JSON/],
      ['null', /header without/],
      ['{}', /header without/],
      [JSON.stringify({ ...header, format: 2 }), /format 2 where/],
      ...[{ format: '1' }, { encoder: 7 }, { dim: 0 }, { dim: '4' }, { products: null }, { products: [] }].map(
        (part): [string, RegExp] => [JSON.stringify({ ...header, ...part }), /header without/],
      ),
      [JSON.stringify({ ...header, products: [null] }), /header without/],
      [JSON.stringify({ ...header, products: [{ id: 1 }] }), /header without/],
    ];
    for (const [json, message] of wrong) {
      expect(() => decodeStoreFile(storeFileOf(json), path), json)
        .to.throw(message)
        .with.property('code', 'store_unavailable');
    }
  });

  it('says unavailable for what is no regular file, without waiting for it', async () => {
    execFileSync('mkfifo', [path]);
    expect((await rejection(store.neighbors('a', 5), 'store_unavailable')).message).to.match(
      /no regular.*npm run seed/,
    );
    await rm(path);
    await mkdir(path);
    expect((await rejection(store.neighbors('a', 5), 'store_unavailable')).message).to.match(
      /no regular.*npm run seed/,
    );
    await rm(path, { recursive: true });
    await store.replaceAll([onCircle('a', 0)], ENCODER);
    expect(await store.count()).to.equal(1);
  });

  it('names the path and what mends it when the file cannot be written', async () => {
    const under = join(dir, 'file', 'products.store');
    await writeFile(join(dir, 'file'), '');
    await mkdir(path);
    for (const place of [path, under]) {
      const blocked = new EmbeddedStore(place, ENCODER);
      const { message } = await rejection(blocked.replaceAll([onCircle('a', 0)], ENCODER), 'storage_failed');
      expect(message)
        .to.contain(place)
        .and.match(/(EISDIR|ENOTEMPTY|EEXIST|ENOTDIR).*STORE_PATH/);
      await blocked.close();
    }
  });

  it('leaves nothing beside the file, whether a write succeeds or not', async () => {
    await store.replaceAll([onCircle('a', 0)], ENCODER);
    await store.replaceAll([onCircle('b', 0)], ENCODER);
    expect(await readdir(dir)).to.deep.equal(['products.store']);
    const blocked = new EmbeddedStore(join(dir, 'taken'), ENCODER);
    await mkdir(join(dir, 'taken', 'x'), { recursive: true });
    expect((await rejection(blocked.replaceAll([onCircle('a', 0)], ENCODER))).message).to.match(
      /EISDIR|ENOTEMPTY|EEXIST/,
    );
    await blocked.close();
    expect((await readdir(dir)).sort()).to.deep.equal(['products.store', 'taken']);
  });

  it('answers worker_died to the tasks of a thread that ends, whatever ends it, and goes on in another', async () => {
    await store.replaceAll([onCircle('a', 0), onCircle('b', 10)], ENCODER);
    for (const end of ['exit', 'error'] as const) {
      const started = once(process, 'worker');
      const own = new EmbeddedStore(path, ENCODER);
      const [thread] = (await started) as [Worker];
      const dying = rejection(own.neighbors('a', 1), 'worker_died');
      // What Node makes of an exception that nobody caught in the thread.
      if (end === 'error') thread.emit('error', new Error('out of luck'));
      else await thread.terminate();
      expect((await dying).message).to.include('try again');
      expect(await own.neighbors('a', 1)).to.have.lengthOf(1);
      await own.close();
    }
  });

  it('refuses tasks once it is closed, and starts no thread for them', async () => {
    await store.close();
    await rejection(store.count(), 'shutting_down');
    await store.close();
  });

  it('does not hold up the event loop while it reads and searches a large catalogue', async function largeCatalogue() {
    this.timeout(20_000);
    const dim = 384;
    const points = Array.from({ length: 10_000 }, (_, index) => onCircle(`p${index}`, index / 100, dim));
    await writeFile(path, encodeStoreFile(packPoints(points), ENCODER));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    await store.count();
    const started = performance.now();
    await Promise.all(points.slice(0, 100).map(({ product }) => store.neighbors(product.id, 100)));
    const searching = performance.now() - started;
    clearInterval(timer);
    expect(longest).to.be.below(searching / 2);
  });
});
