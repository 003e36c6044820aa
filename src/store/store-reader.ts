import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { DistilserveError } from '../domain/errors.js';
import type { Neighbor } from '../domain/types.js';
import { addon, native } from '../native/addon.js';
import type { VectorIndex } from '../native/types.js';
import { productNotFound } from './points.js';
import { rankNeighbors, TIE_MARGIN } from './ranking.js';
import { decodeStoreFile, storeUnusable } from './store-file.js';

interface Catalogue {
  readonly ids: readonly string[];
  readonly rowOf: ReadonlyMap<string, number>;
  readonly index: VectorIndex;
}

/** Searches the embedded store's file and takes up a new one as soon as it is in place; blocks, so it has its thread. */
export class StoreReader {
  /** What the file with this identity gave, its error too: a damaged file is not hashed anew for every request. */
  #seen: { readonly identity: string; readonly outcome: Catalogue | DistilserveError } | undefined;

  constructor(
    private readonly path: string,
    private readonly encoderDigest: string | undefined,
  ) {}

  get count(): number {
    return this.#current().ids.length;
  }

  /** @throws DistilserveError product_not_found, store_unavailable, encoder_mismatch */
  neighbors(productId: string, k: number): Neighbor[] {
    const { ids, rowOf, index } = this.#current();
    const row = rowOf.get(productId);
    if (row === undefined) throw productNotFound(productId);
    const vector = native(() => index.vector(row));
    for (let asked = k + TIE_MARGIN; ; asked *= 2) {
      // One more than asked, for the product finds itself.
      const found = native(() => index.search(vector, asked + 1));
      const candidates = Array.from(found.rows, (at, position) => ({ id: ids[at]!, score: found.scores[position]! }));
      const others = candidates.filter(({ id }) => id !== productId);
      const ranked = rankNeighbors(others, k, candidates.length === ids.length);
      if (ranked !== undefined) return ranked;
    }
  }

  #current(): Catalogue {
    const file = this.#open();
    try {
      // Asked of the open file: it cannot be replaced between this and the reading.
      const status = fstatSync(file, { bigint: true });
      if (!status.isFile()) {
        this.#forget();
        throw storeUnusable(this.path, 'is no regular file');
      }
      const { dev, ino, size, mtimeNs } = status;
      const identity = [dev, ino, size, mtimeNs].join(':');
      if (this.#seen?.identity !== identity) {
        this.#forget();
        this.#seen = { identity, outcome: this.#load(this.#read(file)) };
      }
    } finally {
      closeSync(file);
    }
    const { outcome } = this.#seen;
    if (outcome instanceof DistilserveError) throw outcome;
    return outcome;
  }

  #open(): number {
    try {
      // Not to wait for whoever would write into a pipe of that name.
      return openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      this.#forget();
      const { code } = error as NodeJS.ErrnoException;
      throw storeUnusable(this.path, code === 'ENOENT' ? 'does not exist' : `cannot be opened (${code})`);
    }
  }

  #read(file: number): Buffer {
    try {
      return readFileSync(file);
    } catch (error) {
      throw storeUnusable(this.path, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  #load(bytes: Buffer): Catalogue | DistilserveError {
    try {
      const { dim, products, vectors, encoderDigest } = decodeStoreFile(bytes, this.path);
      if (this.encoderDigest !== undefined && this.encoderDigest !== encoderDigest) {
        throw new DistilserveError(
          'encoder_mismatch',
          `Expected the vectors in ${this.path} to come from encoder ${this.encoderDigest} but they come from ${encoderDigest}; make them anew with: npm run seed, or restart the server if that was just done`,
        );
      }
      const ids = products.map(({ id }) => id);
      const index = native(() => new (addon().VectorIndex)(vectors, dim));
      return { ids, rowOf: new Map(ids.map((id, row) => [id, row])), index };
    } catch (error) {
      if (error instanceof DistilserveError) return error;
      throw error;
    }
  }

  #forget(): void {
    const outcome = this.#seen?.outcome;
    this.#seen = undefined;
    if (outcome !== undefined && !(outcome instanceof DistilserveError)) outcome.index.dispose();
  }
}
