/** What the stand-in holds and how it answers; compared with recordings of a real Qdrant 1.18.3 in store-stand-in.test. */
import { shortestFloat32 } from '../../src/http/float32.js';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Point {
  readonly vector: number[];
  readonly payload: Record<string, unknown>;
}

interface Collection {
  readonly size: number;
  readonly distance: string;
  readonly metadata: unknown;
  readonly points: Map<string, Point>;
}

interface QueryBody {
  query: string | number[];
  limit?: number;
  with_payload?: string[] | boolean;
  score_threshold?: number;
}

type AliasAction = {
  create_alias?: { collection_name: string; alias_name: string };
  delete_alias?: { alias_name: string };
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export class QdrantState {
  readonly collections = new Map<string, Collection>();
  readonly aliases = new Map<string, string>();
  #operation = 0;

  answer(method: string, path: string, body: unknown): Answer {
    try {
      const { pathname } = new URL(path, 'http://qdrant');
      const result = this.#route(method, pathname.split('/').slice(1).map(decodeURIComponent), body);
      return { status: 200, body: { result, status: 'ok', time: 0.001 } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, body: { status: { error: error.message }, time: 0.001 } };
    }
  }

  #route(method: string, [root, name, ...rest]: string[], body: unknown): unknown {
    const call = `${method} ${rest.join('/')}`;
    if (root === 'aliases') return { aliases: [...this.aliases].map(([alias, to]) => aliasEntry(alias, to)) };
    if (root !== 'collections') throw new Error(`The stand-in does not know /${root}`);
    if (name === undefined) return { collections: [...this.collections.keys()].map((one) => ({ name: one })) };
    if (name === 'aliases') return this.#changeAliases((body as { actions: AliasAction[] }).actions);
    if (call === 'PUT ') return this.#create(name, body as { vectors: { size: number; distance: string } });
    if (call === 'DELETE ') return this.collections.delete(name);
    if (call === 'GET exists') return { exists: this.collections.has(this.aliases.get(name) ?? name) };
    const collection = this.#collection(name);
    if (call === 'GET ') return describe(collection);
    if (call === 'PUT points') return this.#upsert(collection, (body as { points: (Point & { id: string })[] }).points);
    if (call === 'POST points/count') return { count: collection.points.size };
    if (call === 'POST points/query') return { points: this.#query(collection, body as QueryBody) };
    throw new Error(`The stand-in does not know ${call}`);
  }

  #collection(name: string): Collection {
    const found = this.collections.get(this.aliases.get(name) ?? name);
    if (found === undefined) throw new Refusal(404, `Not found: Collection \`${name}\` doesn't exist!`);
    return found;
  }

  #create(
    name: string,
    { vectors, metadata }: { vectors: { size: number; distance: string }; metadata?: unknown },
  ): true {
    if (this.collections.has(name)) throw new Refusal(409, `Wrong input: Collection \`${name}\` already exists!`);
    this.collections.set(name, { ...vectors, metadata, points: new Map() });
    return true;
  }

  #changeAliases(actions: AliasAction[]): true {
    for (const { create_alias: create, delete_alias: remove } of actions) {
      if (remove !== undefined) this.aliases.delete(remove.alias_name);
      if (create === undefined) continue;
      this.#collection(create.collection_name);
      this.aliases.set(create.alias_name, create.collection_name);
    }
    return true;
  }

  #upsert(collection: Collection, points: (Point & { id: string })[]): unknown {
    if (points.length === 0) throw new Refusal(400, 'Bad request: Empty update request');
    for (const { id, vector, payload = {} } of points) {
      if (!UUID.test(id)) {
        throw new Refusal(
          400,
          `Format error in JSON body: value ${id} is not a valid point ID, valid values are either an unsigned integer or a UUID`,
        );
      }
      checkSize(collection, vector);
      const norm = Math.hypot(...vector);
      collection.points.set(id, { vector: vector.map((value) => value / norm), payload });
    }
    this.#operation++;
    return { operation_id: this.#operation, status: 'completed' };
  }

  #query(collection: Collection, { query, limit = 10, with_payload, score_threshold = -2 }: QueryBody): unknown[] {
    if (limit < 1)
      throw new Refusal(
        422,
        `Validation error in JSON body: [internal.limit: value ${limit} invalid, must be 1 or larger]`,
      );
    const vector = typeof query === 'string' ? collection.points.get(query)?.vector : query;
    if (vector === undefined) throw new Refusal(404, `Not found: No point with id ${query} found`);
    checkSize(collection, vector);
    const norm = Math.hypot(...vector);
    return [...collection.points]
      .filter(([id]) => id !== query)
      .map(([id, point]) => ({
        id,
        version: this.#operation,
        score: shortestFloat32(point.vector.reduce((sum, value, at) => sum + (value * vector[at]!) / norm, 0)),
        ...(with_payload && { payload: select(point.payload, with_payload) }),
      }))
      .filter(({ score }) => score >= score_threshold)
      .sort((a, b) => b.score - a.score)
      .slice(0, limit);
  }
}

function select(payload: Record<string, unknown>, wanted: string[] | true): Record<string, unknown> {
  if (wanted === true) return payload;
  return Object.fromEntries(Object.entries(payload).filter(([key]) => wanted.includes(key)));
}

function checkSize({ size }: Collection, vector: number[]): void {
  if (vector.length === size) return;
  throw new Refusal(400, `Wrong input: Vector dimension error: expected dim: ${size}, got ${vector.length}`);
}

function aliasEntry(alias: string, collection: string): { alias_name: string; collection_name: string } {
  return { alias_name: alias, collection_name: collection };
}

function describe({ size, distance, metadata, points }: Collection): unknown {
  return {
    status: 'green',
    optimizer_status: 'ok',
    indexed_vectors_count: 0,
    points_count: points.size,
    segments_count: 2,
    config: {
      params: {
        vectors: { size, distance },
        shard_number: 1,
        replication_factor: 1,
        write_consistency_factor: 1,
        on_disk_payload: true,
      },
      hnsw_config: { m: 16, ef_construct: 100, full_scan_threshold: 10000, max_indexing_threads: 0, on_disk: false },
      optimizer_config: {
        deleted_threshold: 0.2,
        vacuum_min_vector_number: 1000,
        default_segment_number: 0,
        max_segment_size: null,
        memmap_threshold: null,
        indexing_threshold: 10000,
        flush_interval_sec: 5,
        max_optimization_threads: null,
        prevent_unoptimized: null,
      },
      wal_config: { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 },
      quantization_config: null,
      metadata,
    },
    payload_schema: {},
    update_queue: { length: 0 },
  };
}
