import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../../src/config.js';
import { DistilserveError } from '../../src/domain/errors.js';
import { openStore, type StoreSettings } from '../../src/store/open-store.js';
import type { VectorStore } from '../../src/store/vector-store.js';
import { ENCODER, onCircle, withCosine } from '../helpers/points.js';
import { QdrantStandIn } from '../helpers/qdrant-stand-in.js';
import { rejection } from '../helpers/rejection.js';

/** Room for a store of one test: `settings` stays the same within it. */
interface Place {
  readonly settings: StoreSettings;
  /** Removes it, and fails when something on the way was not allowed. */
  leave(): Promise<void>;
}

const CONFIG = loadConfig([]);

async function embeddedPlace(): Promise<Place> {
  const dir = await mkdtemp(join(tmpdir(), 'distilserve-store-'));
  const settings = { ...CONFIG, store: 'embedded' as const, storePath: join(dir, 'deep', 'products.store') };
  return { settings, leave: () => rm(dir, { recursive: true }) };
}

async function qdrantPlace(): Promise<Place> {
  const real = CONFIG.qdrantUrl;
  const standIn = real === undefined ? await QdrantStandIn.start() : undefined;
  const settings = {
    ...CONFIG,
    store: 'qdrant' as const,
    qdrantUrl: real ?? standIn?.url,
    qdrantCollection: `distilserve-test-${randomUUID()}`,
    qdrantTimeoutMs: 5000,
  };
  const leave = async (): Promise<void> => {
    if (standIn !== undefined) {
      await standIn.stop();
      expect(standIn.problems).to.deep.equal([]);
      return;
    }
    await removeRealCollections(settings);
  };
  return { settings, leave };
}

async function removeRealCollections({ qdrantUrl, qdrantApiKey, qdrantCollection }: StoreSettings): Promise<void> {
  const headers = qdrantApiKey === undefined ? {} : { 'api-key': qdrantApiKey };
  const answer = await fetch(`${qdrantUrl}/collections`, { headers });
  const { result } = (await answer.json()) as { result: { collections: { name: string }[] } };
  for (const { name } of result.collections.filter((one) => one.name.startsWith(qdrantCollection))) {
    await fetch(`${qdrantUrl}/collections/${name}`, { method: 'DELETE', headers });
  }
}

contract('EmbeddedStore', embeddedPlace);
contract(`QdrantStore (${CONFIG.qdrantUrl === undefined ? 'stand-in' : 'real Qdrant'})`, qdrantPlace);

function contract(name: string, makePlace: () => Promise<Place>): void {
  describe(`${name}: VectorStore contract`, () => {
    let place: Place;
    let opened: VectorStore[];

    beforeEach(async () => {
      place = await makePlace();
      opened = [];
    });

    afterEach(async () => {
      await Promise.all(opened.map((store) => store.close()));
      await place.leave();
    });

    function open(encoderDigest?: string): VectorStore {
      const store = openStore(place.settings, encoderDigest);
      opened.push(store);
      return store;
    }

    async function seeded(...points: ReturnType<typeof onCircle>[]): Promise<VectorStore> {
      const store = open(ENCODER);
      await store.replaceAll(points, ENCODER);
      return store;
    }

    it('gives the nearest by falling cosine, never the product itself', async () => {
      const store = await seeded(
        onCircle('opposite', 180),
        onCircle('far', 90),
        onCircle('near', 5),
        onCircle('self', 0),
        onCircle('middle', -40),
      );
      const found = await store.neighbors('self', 4);
      expect(found.map(({ id }) => id)).to.deep.equal(['near', 'middle', 'far', 'opposite']);
      for (const [position, degrees] of [5, 40, 90, 180].entries()) {
        expect(found[position]?.score).to.be.closeTo(Math.cos((degrees * Math.PI) / 180), 1e-6);
      }
      expect(await store.neighbors('self', 2)).to.deep.equal(found.slice(0, 2));
    });

    it('orders scores that are equal to 1e-6 by id, and no others', async () => {
      const store = await seeded(
        onCircle('self', 0),
        withCosine('b', 0.5 + 4e-7),
        withCosine('c', 0.5),
        withCosine('a', 0.5 - 4e-7),
        withCosine('Z', 0.5 - 1e-5),
      );
      expect((await store.neighbors('self', 5)).map(({ id }) => id)).to.deep.equal(['a', 'b', 'c', 'Z']);
      expect((await store.neighbors('self', 1)).map(({ id }) => id)).to.deep.equal(['a']);
    });

    it('orders a tie that is longer than what is asked of the store at first', async () => {
      const ids = Array.from({ length: 120 }, (_, index) => `SKU-${String(index).padStart(3, '0')}`);
      const store = await seeded(...ids.toReversed().map((id) => onCircle(id, 30)));
      const found = await store.neighbors('SKU-003', 5);
      expect(found.map(({ id }) => id)).to.deep.equal(['SKU-000', 'SKU-001', 'SKU-002', 'SKU-004', 'SKU-005']);
      expect(await store.neighbors('SKU-003', 100)).to.have.lengthOf(100);
    });

    it('gives all others when k is larger than the store, and none from a store of one', async () => {
      const store = await seeded(onCircle('a', 0), onCircle('b', 10), onCircle('c', 20));
      expect((await store.neighbors('a', 100)).map(({ id }) => id)).to.deep.equal(['b', 'c']);
      await store.replaceAll([onCircle('only', 0)], ENCODER);
      expect(await store.neighbors('only', 5)).to.deep.equal([]);
    });

    it('answers product_not_found for an id it does not hold', async () => {
      const store = await seeded(onCircle('a', 0), onCircle('b', 10));
      for (const id of ['c', 'A', ' a', '', '\ud800']) {
        expect(await rejection(store.neighbors(id, 5)), id).to.have.property('code', 'product_not_found');
      }
    });

    it('keeps ids as they are', async () => {
      const ids = [
        '7',
        '007',
        '7.0',
        ' x',
        'x ',
        'a"b\\',
        'grün/ñ?#',
        '日本',
        '😀',
        '../..',
        '__proto__',
        'null',
        'x\n',
      ];
      const store = await seeded(...ids.map((id, index) => onCircle(id, index * 10)));
      expect(await store.count()).to.equal(ids.length);
      for (const [index, id] of ids.entries()) {
        const found = await store.neighbors(id, 100);
        expect(found.map((one) => one.id)).to.have.members(ids.filter((other) => other !== id));
        const nearest = index === 0 ? [ids[1]] : [ids[index - 1], ids[index + 1]];
        expect(found[0]?.id).to.be.oneOf(nearest);
      }
    });

    it('replaces all products, and the count says so', async () => {
      const store = await seeded(onCircle('a', 0), onCircle('b', 10), onCircle('c', 20));
      expect(await store.count()).to.equal(3);
      await store.replaceAll([onCircle('b', 0, 6), onCircle('d', 10, 6)], ENCODER);
      expect(await store.count()).to.equal(2);
      expect((await store.neighbors('b', 5)).map(({ id }) => id)).to.deep.equal(['d']);
      expect(await rejection(store.neighbors('a', 5))).to.have.property('code', 'product_not_found');
    });

    it('shows readers the old catalogue or the new one, never a mixture', async () => {
      const catalogue = (mark: string) => [
        onCircle('self', 0),
        ...Array.from({ length: 300 }, (_, index) => onCircle(`${mark}-${index}`, index / 10)),
      ];
      const writer = await seeded(...catalogue('x'));
      const reader = open();
      await reader.count();
      const kinds = new Set<string>();
      let writing = true;
      const read = (async () => {
        while (writing) {
          const marks = new Set((await reader.neighbors('self', 100)).map(({ id }) => id[0] as string));
          expect([...marks]).to.have.lengthOf(1);
          for (const mark of marks) kinds.add(mark);
        }
      })();
      // At least three times, and on until the reader came between two of them.
      for (let round = 0; round < 3 || (kinds.size < 2 && round < 50); round++) {
        await writer.replaceAll(catalogue(round % 2 === 0 ? 'y' : 'x'), ENCODER);
      }
      await writer.replaceAll(catalogue('y'), ENCODER);
      writing = false;
      await read;
      expect((await reader.neighbors('self', 1))[0]?.id).to.equal('y-0');
      expect(kinds.size).to.be.at.least(2);
    });

    it('refuses the vectors of another encoder', async () => {
      await seeded(onCircle('a', 0), onCircle('b', 10));
      const other = open('f'.repeat(64));
      const error = await rejection(other.neighbors('a', 5));
      expect(error).to.be.instanceOf(DistilserveError).with.property('code', 'encoder_mismatch');
      expect(error.message).to.contain('npm run seed');
      expect(await open().neighbors('a', 5)).to.have.lengthOf(1);
    });

    it('refuses points that are no good, and keeps what it has', async () => {
      const store = await seeded(onCircle('a', 0), onCircle('b', 10));
      const long = onCircle('c', 0);
      long.vector[0] = 1.00002;
      const empty = onCircle('c', 0);
      empty.vector[0] = Number.NaN;
      const bad = [
        [],
        [long],
        [empty],
        [onCircle('c', 0), onCircle('c', 1)],
        [onCircle('', 0)],
        [onCircle('\udc00', 0)],
      ];
      for (const points of [...bad, [onCircle('c', 0), onCircle('d', 0, 8)]]) {
        const error = await rejection(store.replaceAll(points, ENCODER));
        expect(error, error.message).to.have.property('code', 'invalid_argument');
      }
      expect((await store.neighbors('a', 5)).map(({ id }) => id)).to.deep.equal(['b']);
      const within = onCircle('c', 0);
      within.vector[0] = 1.000009;
      await store.replaceAll([within], ENCODER);
    });

    it('is unavailable until it is seeded, and then takes up what another process wrote', async () => {
      const reader = open(ENCODER);
      for (const asked of [reader.neighbors('a', 5), reader.count()]) {
        const error = await rejection(asked);
        expect(error).to.be.instanceOf(DistilserveError).with.property('code', 'store_unavailable');
        expect(error).to.have.property('retryAfterSeconds').that.is.a('number').above(0);
        expect(error.message).to.contain('npm run seed');
      }
      await seeded(onCircle('a', 0), onCircle('b', 10));
      expect((await reader.neighbors('a', 5)).map(({ id }) => id)).to.deep.equal(['b']);
    });

    it('ends the wait with the reason of the signal', async () => {
      const store = await seeded(onCircle('a', 0), onCircle('b', 10));
      const reason = new DistilserveError('deadline_exceeded', 'too late');
      expect(await rejection(store.neighbors('a', 5, AbortSignal.abort(reason)))).to.equal(reason);
      const controller = new AbortController();
      const asked = rejection(store.neighbors('a', 5, controller.signal));
      controller.abort(reason);
      expect(await asked).to.equal(reason);
      expect(await store.neighbors('a', 5)).to.have.lengthOf(1);
    });

    it('answers many searches at once, each with its own neighbours', async () => {
      const store = await seeded(...Array.from({ length: 50 }, (_, index) => onCircle(`p${index}`, index)));
      const found = await Promise.all(
        Array.from({ length: 200 }, (_, index) => store.neighbors(`p${(index % 49) + 1}`, 1)),
      );
      for (const [index, [nearest]] of found.entries()) {
        const at = (index % 49) + 1;
        expect(nearest?.id).to.be.oneOf([`p${at - 1}`, `p${at + 1}`]);
      }
    });
  });
}
