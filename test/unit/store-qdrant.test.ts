import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { DistilserveError } from '../../src/domain/errors.js';
import { QdrantStore, type QdrantStoreOptions } from '../../src/store/qdrant-store.js';
import { ENCODER, onCircle } from '../helpers/points.js';
import { type Fault, QdrantStandIn, type SeenRequest } from '../helpers/qdrant-stand-in.js';
import { rejection } from '../helpers/rejection.js';

const KEY = 'secret-key-4711';
const POINTS = [onCircle('SKU-1', 0), onCircle('SKU-2', 5), onCircle('SKU-3', 12)];

describe('QdrantStore', () => {
  let qdrant: QdrantStandIn;
  let store: QdrantStore;

  beforeEach(async () => {
    qdrant = await QdrantStandIn.start();
    store = open();
    await store.replaceAll(POINTS, ENCODER);
    qdrant.seen.length = 0;
  });

  afterEach(async () => {
    await store.close();
    await qdrant.stop();
    expect(qdrant.problems).to.deep.equal([]);
  });

  function open(options: Partial<QdrantStoreOptions> = {}, pauseMs?: number): QdrantStore {
    const { url } = qdrant;
    const given = { url, apiKey: undefined, collection: 'products', timeoutMs: 500, encoderDigest: ENCODER };
    return new QdrantStore({ ...given, ...options }, pauseMs);
  }

  /** Applies a fault to the searches only, the first `times` of them. */
  function failSearches(fault: Fault, times = Number.POSITIVE_INFINITY): void {
    let left = times;
    qdrant.fault = (request) => (isSearch(request) && left-- > 0 ? fault : undefined);
  }

  const searches = (): number => qdrant.seen.filter(isSearch).length;

  async function unavailable(asked: Promise<unknown>): Promise<DistilserveError> {
    const error = (await rejection(asked)) as DistilserveError;
    expect(error, error.stack).to.have.property('code', 'store_unavailable');
    expect(error.retryAfterSeconds).to.be.above(0);
    return error;
  }

  it('makes only requests that the document of Qdrant allows', async function needsDocument() {
    if (!qdrant.checked) {
      console.log('    skipped: the OpenAPI document of Qdrant is not there');
      this.skip();
    }
    await store.replaceAll(POINTS, ENCODER);
    await store.neighbors('SKU-1', 2);
    await store.count();
    expect(qdrant.problems).to.deep.equal([]);
    await fetch(`${qdrant.url}/collections/products/points/count`, { method: 'POST', body: '{"exakt":true}' });
    expect(qdrant.problems.splice(0)).to.have.lengthOf(1);
  });

  it('searches by points/query alone, exactly, with candidates to spare for ties', async () => {
    await store.neighbors('SKU-1', 2);
    await store.neighbors('SKU-2', 2);
    expect(qdrant.seen.map(({ method, path }) => `${method} ${path}`)).to.deep.equal([
      'GET /collections/products',
      'POST /collections/products/points/query',
      'POST /collections/products/points/query',
    ]);
    expect(qdrant.seen[1]?.body).to.deep.equal({
      // Python: uuid.uuid5(uuid.UUID('5d0c9f0e-8f1b-4c1e-9a54-6d5b7f1f3a27'), 'SKU-1')
      query: 'a057eb56-3859-5497-ae30-ab374e1a57cb',
      limit: 18,
      with_payload: ['product_id'],
      params: { exact: true },
    });
  });

  it('searches a large collection by its index', async () => {
    qdrant.fault = ({ path }) =>
      path === '/collections/products' ? answer(200, withPoints(qdrant, 20_001)) : undefined;
    await store.neighbors('SKU-1', 2);
    expect(qdrant.seen.find(isSearch)?.body).to.have.deep.property('params', { exact: false });
  });

  it('keeps every product beside its own vector', () => {
    const [collection] = qdrant.state.collections.values();
    const stored = [...(collection?.points.values() ?? [])];
    expect(stored.map(({ payload }) => payload.product_id)).to.deep.equal(['SKU-1', 'SKU-2', 'SKU-3']);
    expect(stored[1]?.payload).to.deep.equal({
      product_id: 'SKU-2',
      name: 'Name of SKU-2',
      description: 'About SKU-2',
    });
    stored.forEach(({ vector }, row) => {
      expect(vector[1]).to.be.closeTo(POINTS[row]!.vector[1]!, 1e-6);
    });
  });

  it('makes a Cosine collection of the vectors’ size, in batches, behind an alias', async () => {
    const many = Array.from({ length: 600 }, (_, index) => onCircle(`p${index}`, index / 2, 6));
    await store.replaceAll(many, ENCODER);
    const batches = qdrant.seen.filter(({ method, path }) => method === 'PUT' && path.endsWith('/points?wait=true'));
    expect(batches.map(({ body }) => (body as { points: unknown[] }).points.length)).to.deep.equal([256, 256, 88]);
    const [name] = qdrant.state.collections.keys();
    expect(name).to.match(/^products-[0-9a-f]{16}$/);
    expect([...qdrant.state.collections.values()]).to.have.lengthOf(1);
    expect(qdrant.state.collections.get(name!)).to.include({ size: 6, distance: 'Cosine' });
    expect(qdrant.state.aliases.get('products')).to.equal(name);
  });

  it('leaves the old catalogue in place when a seed fails, and removes what that seed left behind', async () => {
    qdrant.fault = ({ path }) => (path.endsWith('/points?wait=true') ? answer(500, '{}') : undefined);
    for (let seed = 0; seed < 3; seed++) await unavailable(store.replaceAll([onCircle('new', 0)], ENCODER));
    qdrant.fault = () => undefined;
    expect(await store.neighbors('SKU-1', 5)).to.have.lengthOf(2);
    expect(qdrant.state.collections.size).to.equal(2);
    qdrant.state.collections.set('products-eu', { size: 4, distance: 'Dot', metadata: {}, points: new Map() });
    await store.replaceAll(POINTS, ENCODER);
    expect(qdrant.state.collections.size).to.equal(2);
    expect(qdrant.state.collections.has('products-eu')).to.equal(true);
  });

  it('refuses a collection of the wrong distance or size, or one that is no seed’s', async () => {
    const [collection] = qdrant.state.collections.values();
    const metadata = collection?.metadata;
    for (const wrong of [{ distance: 'Dot' }, { size: 5 }, { metadata: undefined }]) {
      const points = new Map();
      qdrant.state.collections.set('foreign', { size: 4, distance: 'Cosine', metadata, points, ...wrong });
      const error = await unavailable(open({ collection: 'foreign' }).neighbors('SKU-1', 2));
      expect(error.message).to.contain('not made by npm run seed');
    }
    await unavailable(open({ collection: 'foreign' }).replaceAll(POINTS, ENCODER));
    expect(qdrant.state.collections.has('foreign')).to.equal(true);
  });

  it('takes another chance after a dropped connection or a 503', async () => {
    for (const fault of [{ kind: 'drop' } as const, answer(503, '{"status":{"error":"busy"}}')]) {
      failSearches(fault, 2);
      expect(await store.neighbors('SKU-1', 2)).to.have.lengthOf(2);
    }
    expect(searches()).to.equal(6);
  });

  it('says unavailable when Qdrant stays away, does not answer in time, limits, or answers nonsense', async () => {
    const slow = open({ timeoutMs: 200 });
    await slow.neighbors('SKU-1', 1);
    failSearches({ kind: 'delay', ms: 700 });
    expect((await unavailable(slow.neighbors('SKU-1', 2))).message).to.contain('200 ms');
    const faults: [Fault, RegExp][] = [
      [{ kind: 'drop' }, /cannot be reached/],
      [answer(500, '{"status":{"error":"disk"}}'), /status 500/],
      [answer(429, '{}', { 'retry-after': '30' }), /limits the rate/],
      [answer(429, '{}', { 'retry-after': 'Wed, 21 Oct 2065 07:28:00 GMT' }), /limits the rate/],
      [answer(429, '{}'), /status 429/],
      [answer(200, '{"result":{"points":'), /cut off/],
      [answer(200, '<html>', { 'content-type': 'text/html' }), /none of Qdrant/],
      [answer(403, 'Forbidden', { 'content-type': 'text/plain' }), /refuses the API key/],
      [answer(200, '{"result":{"points":[{"id":1,"version":0,"score":1,"payload":{}}]}}'), /not made by npm run seed/],
    ];
    for (const [fault, message] of faults) {
      failSearches(fault);
      expect((await unavailable(open().neighbors('SKU-1', 2))).message).to.match(message);
    }
    const late = open();
    await qdrant.stop();
    expect((await unavailable(late.neighbors('SKU-1', 2))).message).to.contain('cannot be reached');
  });

  it('does not take a collection that vanished for an unknown product', async () => {
    await store.neighbors('SKU-1', 1);
    failSearches(answer(404, '{"status":{"error":"Not found: Collection `products` doesn\'t exist!"},"time":0}'));
    expect((await unavailable(store.neighbors('SKU-1', 1))).message).to.contain('npm run seed');
  });

  it('does not call a mistake of ours an outage', async () => {
    failSearches(answer(400, '{"status":{"error":"Wrong input"}}'));
    expect(await rejection(store.neighbors('SKU-1', 2))).to.have.property('code', 'internal');
    expect(searches()).to.equal(1);
  });

  it('leaves Qdrant alone after failures in a row, and comes back by itself', async () => {
    const breaking = open({}, 500);
    await breaking.neighbors('SKU-1', 1);
    failSearches({ kind: 'drop' });
    await unavailable(breaking.neighbors('SKU-1', 2));
    await unavailable(breaking.neighbors('SKU-1', 2));
    const before = searches();
    expect((await unavailable(breaking.neighbors('SKU-1', 2))).message).to.contain('several times in a row');
    expect(searches()).to.equal(before);
    await sleep(600);
    failSearches({ kind: 'delay', ms: 200 });
    let probing = true;
    const probe = breaking.neighbors('SKU-1', 2).finally(() => {
      probing = false;
    });
    await unavailable(breaking.neighbors('SKU-1', 2));
    expect(probing, 'refused while the probe is out').to.equal(true);
    expect(await probe).to.have.lengthOf(2);
    expect(searches()).to.equal(before + 1);
    qdrant.fault = () => undefined;
    expect(await breaking.neighbors('SKU-1', 2)).to.have.lengthOf(2);
  });

  it('does not count callers that leave as failures of Qdrant', async () => {
    await store.neighbors('SKU-1', 1);
    failSearches({ kind: 'delay', ms: 100 });
    for (let call = 0; call < 8; call++) {
      const error = await rejection(store.neighbors('SKU-1', 2, AbortSignal.timeout(10)));
      expect(error).to.have.property('name', 'TimeoutError');
    }
    qdrant.fault = () => undefined;
    expect(await store.neighbors('SKU-1', 2)).to.have.lengthOf(2);
  });

  it('sends the API key and never shows it', async () => {
    qdrant.apiKey = KEY;
    const warn = console.warn;
    console.warn = () => undefined; // the client's word on a key over plain http
    const keyed = open({ apiKey: KEY });
    const wrong = open({ apiKey: `${KEY}-wrong` });
    console.warn = warn;
    expect(await keyed.neighbors('SKU-1', 2)).to.have.lengthOf(2);
    expect(qdrant.seen.every(({ apiKey }) => apiKey === KEY)).to.equal(true);
    failSearches(answer(500, '{}'));
    const refused = await unavailable(wrong.neighbors('SKU-1', 2));
    expect(refused.message).to.contain('QDRANT_API_KEY');
    for (const error of [refused, await unavailable(keyed.neighbors('SKU-1', 2))]) {
      expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.to.contain(KEY);
    }
  });

  it('keeps the path of QDRANT_URL', async () => {
    await rejection(open({ url: `${qdrant.url}/behind/proxy/` }).count());
    expect(qdrant.seen.at(-1)?.path).to.equal('/behind/proxy/collections/products/points/count');
    qdrant.problems.length = 0;
  });
});

function isSearch({ path }: SeenRequest): boolean {
  return path.endsWith('/points/query');
}

function answer(status: number, body: string, headers: Record<string, string> = {}): Fault {
  return { kind: 'answer', status, body, headers };
}

/** The description of the collection, as if it held so many points. */
function withPoints(qdrant: QdrantStandIn, points: number): string {
  const { body } = qdrant.state.answer('GET', '/collections/products', undefined);
  const description = structuredClone(body) as { result: { points_count: number } };
  description.result.points_count = points;
  return JSON.stringify(description);
}
