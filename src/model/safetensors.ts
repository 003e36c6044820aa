import { open, stat } from 'node:fs/promises';
import { DistilserveError } from '../domain/errors.js';
import type { TensorSource } from '../native/types.js';

/** Hugging Face's own limit; a longer header is a damaged or hostile file. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads the header of a safetensors file: an 8-byte little-endian length, then JSON with dtype, shape and offsets.
 *
 * Nothing longer than the file is allocated; the data itself is read by the addon.
 * @throws DistilserveError model_invalid saying what is wrong with the header
 */
export async function readSafetensorsHeader(file: string): Promise<TensorSource[]> {
  const { size } = await stat(file);
  const handle = await open(file, 'r');
  try {
    const prefix = Buffer.alloc(8);
    await handle.read(prefix, 0, 8, 0);
    const length = prefix.readBigUInt64LE();
    if (size < 8 || length > BigInt(Math.min(size - 8, MAX_HEADER_BYTES))) {
      throw invalid(file, `a header within its ${size} bytes but it says ${length}; the file is cut or no safetensors`);
    }
    const header = Buffer.alloc(Number(length));
    await handle.read(header, 0, header.length, 8);
    return parseHeader(header.toString('utf8'), 8 + header.length, size, file);
  } finally {
    await handle.close();
  }
}

function parseHeader(text: string, dataStart: number, size: number, file: string): TensorSource[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new DistilserveError('model_invalid', `Expected ${file} to have a JSON header but it does not parse`, {
      cause: error,
    });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(file, 'a JSON object as header');
  return Object.entries(json)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => {
      const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
      if (typeof dtype !== 'string' || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
        throw invalid(file, `tensor '${name}' to have dtype, shape and data_offsets`);
      }
      const [begin, end] = offsets.map((offset) => dataStart + offset) as [number, number];
      if (begin > end || end > size) {
        throw invalid(file, `tensor '${name}' within its ${size} bytes but it ends at ${end}; the file is cut`);
      }
      return { name, file, dtype, shape, begin, end };
    });
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function invalid(file: string, expected: string): DistilserveError {
  return new DistilserveError('model_invalid', `Expected ${file} to hold ${expected}`);
}
