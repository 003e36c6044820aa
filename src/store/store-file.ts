/**
 * The embedded store's file: magic `DSTORE\r\n` · uint32 length of the header · header (JSON: format, encoder, dim,
 * products) · float32 vectors [products, dim] · sha256 of everything before it. Numbers are little-endian, as is every
 * machine that libtorch is built for. A write stages a whole file beside the old one and renames it, so that whoever opens the path reads one catalogue.
 */
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DistilserveError, messageOf } from '../domain/errors.js';
import type { Product } from '../domain/types.js';
import { stagingName, sync } from '../model/files.js';
import type { PackedPoints } from './points.js';

const FORMAT = 1;
// The line break shows a file that went through a text conversion.
const MAGIC = Buffer.from('DSTORE\r\n');
const HEADER_START = MAGIC.length + 4;
const DIGEST_BYTES = 32;
const RETRY_AFTER_SECONDS = 30;

interface Header {
  readonly format: number;
  /** sha256 of the encoder that made the vectors. */
  readonly encoder: string;
  readonly dim: number;
  readonly products: readonly Product[];
}

export interface StoredCatalogue extends PackedPoints {
  readonly encoderDigest: string;
}

export function encodeStoreFile({ dim, products, vectors }: PackedPoints, encoderDigest: string): Buffer {
  const header: Header = { format: FORMAT, encoder: encoderDigest, dim, products };
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const body = Buffer.concat([MAGIC, length, json, bytesOf(vectors)]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/**
 * Reads a store file's bytes.
 *
 * @param path for messages only
 * @throws DistilserveError store_unavailable when the file is cut, damaged or of another format
 */
export function decodeStoreFile(bytes: Buffer, path: string): StoredCatalogue {
  if (bytes.length < HEADER_START + DIGEST_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw storeUnusable(path, 'is cut short or no store file');
  }
  const body = bytes.subarray(0, -DIGEST_BYTES);
  if (!createHash('sha256').update(body).digest().equals(bytes.subarray(-DIGEST_BYTES))) {
    throw storeUnusable(path, 'does not match its sha256: it is cut short or damaged');
  }
  const headerEnd = HEADER_START + body.readUInt32LE(MAGIC.length);
  const { dim, products, encoder } = headerOf(body.toString('utf8', HEADER_START, headerEnd), path);
  const vectors = floatsOf(body.subarray(headerEnd));
  if (vectors.length !== products.length * dim) {
    throw storeUnusable(path, `has ${vectors.length} numbers for ${products.length} products of ${dim}`);
  }
  return { dim, products, vectors, encoderDigest: encoder };
}

function headerOf(json: string, path: string): Header {
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(json);
  } catch {
    throw storeUnusable(path, 'has a header that is no JSON');
  }
  const format: unknown = header?.format;
  if (typeof format === 'number' && format !== FORMAT) {
    throw storeUnusable(path, `has format ${format} where this program reads format ${FORMAT}`);
  }
  if (!isHeader(header)) throw storeUnusable(path, 'has a header without what this program reads');
  return header;
}

/** Whether everything that is read of a header is there; the sha256 has shown already that it came as it was written. */
function isHeader(header: Partial<Header> | null): header is Header {
  const { format, encoder, dim, products } = header ?? {};
  return (
    format === FORMAT &&
    typeof encoder === 'string' &&
    Number.isInteger(dim) &&
    Number(dim) > 0 &&
    Array.isArray(products) &&
    products.length > 0 &&
    products.every((product: Partial<Product> | null) => typeof product?.id === 'string')
  );
}

/**
 * Puts `bytes` in place of whatever is at `path`, in one step that survives a crash.
 *
 * @throws DistilserveError storage_failed
 */
export async function publishFile(path: string, bytes: Buffer): Promise<void> {
  try {
    await replaceFile(resolve(path), bytes);
  } catch (error) {
    throw new DistilserveError(
      'storage_failed',
      `Expected to write the store to ${path} but received ${messageOf(error)}; set STORE_PATH to a file in a directory that can be written to, with room on its disk`,
      { cause: error },
    );
  }
}

async function replaceFile(target: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const staging = stagingName(target);
  try {
    await writeFile(staging, bytes);
    await sync(staging);
    await rename(staging, target);
  } catch (error) {
    await rm(staging, { force: true });
    throw error;
  }
  await sync(dirname(target));
}

/** The message goes to clients, so the path is told in the cause, which is logged. */
export function storeUnusable(path: string, why: string): DistilserveError {
  return new DistilserveError(
    'store_unavailable',
    `The product store is unavailable: its file ${why}; make it with: npm run seed`,
    {
      cause: `store file ${path}`,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    },
  );
}

function bytesOf(floats: Float32Array): Buffer {
  return Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
}

// A copy: a Float32Array must begin at a multiple of four bytes, and the vectors follow a header of any length.
function floatsOf(bytes: Buffer): Float32Array {
  return new Float32Array(new Uint8Array(bytes.subarray(0, bytes.length - (bytes.length % 4))).buffer);
}
