/**
 * Products in Qdrant. The configured name is an alias of the collection `<name>-<version>`: a new catalogue goes into a
 * new collection, the alias is switched in one step, and only then the old collection is removed.
 */
import { randomBytes } from 'node:crypto';
import { v5 as uuidV5 } from 'uuid';
import { DistilserveError } from '../domain/errors.js';
import type { EmbeddedProduct, Neighbor } from '../domain/types.js';
import { isProductId, type PackedPoints, packPoints, productNotFound } from './points.js';
import { type QdrantAddress, QdrantConnection } from './qdrant-connection.js';
import { isUnknownPoint, unavailable } from './qdrant-errors.js';
import { rankNeighbors, TIE_MARGIN } from './ranking.js';
import type { VectorStore } from './vector-store.js';

export interface QdrantStoreOptions extends QdrantAddress {
  readonly collection: string;
  /** The encoder whose vectors are expected; undefined accepts any. */
  readonly encoderDigest: string | undefined;
}

/** Point ids are UUIDv5 of the product id in this namespace; another one would lose every stored product. */
const PRODUCT_NAMESPACE = '5d0c9f0e-8f1b-4c1e-9a54-6d5b7f1f3a27';
const EXACT_UP_TO_POINTS = 20_000;
const UPSERT_BATCH = 256;
/** How long what the collection says of itself is believed. */
const DESCRIPTION_MS = 10_000;

interface Description {
  readonly exact: boolean;
  readonly readAt: number;
}

export class QdrantStore implements VectorStore {
  readonly kind = 'qdrant';
  readonly #connection: QdrantConnection;
  readonly #name: string;
  readonly #encoderDigest: string | undefined;
  #description: Description | undefined;

  /** @param pauseMs how long Qdrant is left alone after failures in a row */
  constructor(options: QdrantStoreOptions, pauseMs?: number) {
    this.#connection = new QdrantConnection(options, pauseMs);
    this.#name = options.collection;
    this.#encoderDigest = options.encoderDigest;
  }

  async neighbors(productId: string, k: number, signal?: AbortSignal): Promise<Neighbor[]> {
    if (!isProductId(productId)) throw productNotFound(productId);
    const { exact } = await this.#describe(signal);
    for (let asked = k + TIE_MARGIN; ; asked *= 2) {
      const found = await this.#query(productId, asked, exact, signal);
      const ranked = rankNeighbors(found, k, found.length < asked);
      if (ranked !== undefined) return ranked;
    }
  }

  async replaceAll(points: readonly EmbeddedProduct[], encoderDigest: string): Promise<void> {
    const packed = packPoints(points);
    const old = await this.#aliased();
    await this.#removeVersions(old);
    const version = `${this.#name}-${randomBytes(8).toString('hex')}`;
    await this.#create(version, packed.dim, encoderDigest);
    await this.#upsert(version, packed);
    const stored = await this.#countOf(version);
    if (stored !== packed.products.length) {
      throw unavailable(`${packed.products.length} products were sent but it holds ${stored}`, version);
    }
    await this.#connection.write((api, init) =>
      api.updateAliases(
        {
          actions: [
            ...(old === undefined ? [] : [{ delete_alias: { alias_name: this.#name } }]),
            { create_alias: { collection_name: version, alias_name: this.#name } },
          ],
        },
        init,
      ),
    );
    this.#description = undefined;
    await this.#removeVersions(version);
  }

  count(): Promise<number> {
    return this.#countOf(this.#name);
  }

  async close(): Promise<void> {
    // The connections are Node's own, which do not keep a process alive.
  }

  async #query(productId: string, limit: number, exact: boolean, signal?: AbortSignal): Promise<Neighbor[]> {
    const { points } = await this.#connection.read(
      (api, init) =>
        api.queryPoints(
          {
            collection_name: this.#name,
            query: uuidV5(productId, PRODUCT_NAMESPACE),
            limit,
            with_payload: ['product_id'],
            params: { exact },
          },
          init,
        ),
      signal,
      (error) => {
        if (isUnknownPoint(error)) throw productNotFound(productId);
      },
    );
    return points.map(({ payload, score }) => {
      const id = payload?.product_id;
      if (typeof id !== 'string') throw this.#foreign('a product_id in every point’s payload', JSON.stringify(payload));
      // Rounding can carry a cosine past 1.
      return { id, score: Math.min(1, Math.max(-1, score)) };
    });
  }

  /** Checks that the collection is one that a seed made, with this encoder, and says how to search it. */
  async #describe(signal?: AbortSignal): Promise<Description> {
    const known = this.#description;
    if (known !== undefined && performance.now() - known.readAt < DESCRIPTION_MS) return known;
    const info = await this.#info(this.#name, signal);
    const encoder = info.metadata.encoder_digest;
    this.#check(this.#name, info, Number(info.metadata.vector_size));
    if (this.#encoderDigest !== undefined && encoder !== this.#encoderDigest) {
      throw new DistilserveError(
        'encoder_mismatch',
        `Expected the vectors in Qdrant's ${this.#name} to come from encoder ${this.#encoderDigest} but they come from ${encoder}; make them anew with: npm run seed, or restart the server if that was just done`,
      );
    }
    this.#description = { exact: info.points <= EXACT_UP_TO_POINTS, readAt: performance.now() };
    return this.#description;
  }

  async #info(collection: string, signal?: AbortSignal) {
    const { config, points_count } = await this.#connection.read(
      (api, init) => api.getCollection({ collection_name: collection }, init),
      signal,
    );
    const vectors = config.params.vectors as { size?: unknown; distance?: unknown } | undefined;
    const metadata = (config.metadata ?? {}) as Record<string, unknown>;
    return { size: vectors?.size, distance: vectors?.distance, metadata, points: points_count ?? 0 };
  }

  #check(collection: string, { size, distance }: { size: unknown; distance: unknown }, dim: number): void {
    if (size === dim && distance === 'Cosine') return;
    throw this.#foreign(`vectors of size ${dim} compared by Cosine in ${collection}`, `size ${size}, ${distance}`);
  }

  #foreign(expected: string, received: string): DistilserveError {
    return unavailable(
      'its collection was not made by npm run seed',
      `Expected ${expected} but found ${received}; seed under another QDRANT_COLLECTION or remove that collection`,
    );
  }

  async #create(collection: string, dim: number, encoderDigest: string): Promise<void> {
    await this.#connection.write((api, init) =>
      api.createCollection(
        {
          collection_name: collection,
          vectors: { size: dim, distance: 'Cosine' },
          metadata: { encoder_digest: encoderDigest, vector_size: dim },
        },
        init,
      ),
    );
    this.#check(collection, await this.#info(collection), dim);
  }

  async #upsert(collection: string, { dim, products, vectors }: PackedPoints): Promise<void> {
    for (let start = 0; start < products.length; start += UPSERT_BATCH) {
      const points = products.slice(start, start + UPSERT_BATCH).map(({ id, ...rest }, offset) => ({
        id: uuidV5(id, PRODUCT_NAMESPACE),
        vector: Array.from(vectors.subarray((start + offset) * dim, (start + offset + 1) * dim)),
        payload: { product_id: id, ...rest },
      }));
      await this.#connection.write((api, init) =>
        api.upsertPoints({ collection_name: collection, wait: true, points }, init),
      );
    }
  }

  async #countOf(collection: string): Promise<number> {
    const { count } = await this.#connection.read((api, init) =>
      api.countPoints({ collection_name: collection, exact: true }, init),
    );
    return count;
  }

  /** The collection behind our alias. */
  async #aliased(): Promise<string | undefined> {
    const { aliases } = await this.#connection.read((api, init) => api.getCollectionsAliases({}, init));
    return aliases.find(({ alias_name }) => alias_name === this.#name)?.collection_name;
  }

  /** Removes our collections but one: that which was replaced, and those of seeds that were interrupted. */
  async #removeVersions(keep: string | undefined): Promise<void> {
    const { collections } = await this.#connection.read((api, init) => api.getCollections({}, init));
    for (const { name } of collections) {
      if (name === this.#name) throw this.#foreign(`${name} to be an alias`, 'a collection');
      const version = name.startsWith(`${this.#name}-`) ? name.slice(this.#name.length + 1) : '';
      if (!/^[0-9a-f]{16}$/.test(version) || name === keep) continue;
      await this.#connection.write((api, init) => api.deleteCollection({ collection_name: name }, init));
    }
  }
}
