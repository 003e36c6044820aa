import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { readSafetensorsHeader } from '../../src/model/safetensors.js';

export interface Tensor {
  shape: number[];
  values: Float32Array;
}

/** All float32 tensors of a safetensors file. */
export async function readTensors(file: string): Promise<Map<string, Tensor>> {
  const bytes = readFileSync(file);
  const header = await readSafetensorsHeader(file);
  return new Map(
    header.map(({ name, shape, begin, end }) => [
      name,
      { shape, values: new Float32Array(Uint8Array.from(bytes.subarray(begin, end)).buffer) },
    ]),
  );
}

export function writeTensors(file: string, tensors: ReadonlyMap<string, Tensor>): void {
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let at = 0;
  for (const [name, { shape, values }] of tensors) {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  writeFileSync(file, safetensorsBytes(JSON.stringify(header), Buffer.concat(parts)));
}

/** A safetensors file of any header, right or wrong; `length` is what its first eight bytes say. */
export function safetensorsBytes(header: string, data: Buffer, length = BigInt(Buffer.byteLength(header))): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length);
  return Buffer.concat([prefix, Buffer.from(header), data]);
}

/** The rows as the addon takes them. */
export function ragged(rows: readonly (readonly number[])[]): { ids: Int32Array; offsets: Int32Array } {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, index) => {
    offsets[index + 1] = offsets[index]! + row.length;
  });
  return { ids: Int32Array.from(rows.flat()), offsets };
}

/** Fails, saying the largest difference and where, unless every number is within `tolerance` of the expected one. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what = 'numbers',
): void {
  expect(actual.length, `count of ${what}`).to.equal(expected.length);
  let [worst, at] = [0, 0];
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(actual[index]! - expected[index]!);
    // A NaN is no smaller than anything, and counts.
    if (!(difference <= worst)) [worst, at] = [difference, index];
  }
  if (worst <= tolerance) return;
  expect.fail(
    `Expected ${what} within ${tolerance} but the largest difference is ${worst}, at ${at}: ${actual[at]} for ${expected[at]}`,
  );
}

export function norm(values: Iterable<number>): number {
  return Math.hypot(...values);
}
