import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensorsHeader } from '../../src/model/safetensors.js';
import { fixture } from '../helpers/fixtures.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';
import { safetensorsBytes } from '../helpers/tensors.js';

const DATA = Buffer.alloc(16);
const GOOD = { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] };

const scratch = useScratch();
let file: string;
beforeEach(() => {
  file = join(scratch.dir, 'model.safetensors');
});

function write(tensors: unknown, data = DATA): string {
  writeFileSync(file, safetensorsBytes(JSON.stringify(tensors), data));
  return file;
}

describe('readSafetensorsHeader()', () => {
  it('gives name, dtype, shape and the place in the file of every tensor', async () => {
    write({ a: GOOD, b: { ...GOOD, dtype: 'F16', shape: [], data_offsets: [4, 6] }, __metadata__: { format: 'pt' } });
    const start = readFileSync(file).length - DATA.length;
    expect(await readSafetensorsHeader(file)).to.deep.equal([
      { name: 'a', file, dtype: 'F32', shape: [2, 2], begin: start, end: start + 16 },
      { name: 'b', file, dtype: 'F16', shape: [], begin: start + 4, end: start + 6 },
    ]);
  });

  it("reads what Hugging Face's library wrote", async () => {
    const tensors = await readSafetensorsHeader(`${fixture('distilbert-tiny')}/model.safetensors`);
    expect(tensors).to.have.length(40);
    const { size } = { size: readFileSync(`${fixture('distilbert-tiny')}/model.safetensors`).length };
    expect(Math.max(...tensors.map(({ end }) => end))).to.equal(size);
    for (const { shape, begin, end } of tensors) expect(end - begin).to.equal(4 * shape.reduce((a, b) => a * b, 1));
  });

  for (const bytes of [0, 1, 7, 8]) {
    it(`refuses a file of ${bytes} bytes`, async () => {
      writeFileSync(file, safetensorsBytes('{}', DATA).subarray(0, bytes));
      expect((await rejection(readSafetensorsHeader(file), 'model_invalid')).message).to.include(file);
    });
  }

  const lengths: [string, bigint][] = [
    ['one byte more than the file has', 19n],
    ['100 GB', 100_000_000_000n],
    ['2^63', 2n ** 63n],
    ['2^64 - 1', 2n ** 64n - 1n],
  ];
  for (const [what, length] of lengths) {
    it(`refuses a header that says it is ${what} long, without allocating it`, async () => {
      writeFileSync(file, safetensorsBytes('{}', DATA, length));
      expect((await rejection(readSafetensorsHeader(file), 'model_invalid')).message).to.include(String(length));
    });
  }

  const headers: [string, string][] = [
    ['that is no JSON', '{"a":'],
    ['that is a list', '[]'],
    ['that is null', 'null'],
    ['whose tensor is null', '{"a":null}'],
  ];
  for (const [what, text] of headers) {
    it(`refuses a header ${what}`, async () => {
      writeFileSync(file, safetensorsBytes(text, DATA));
      await rejection(readSafetensorsHeader(file), 'model_invalid');
    });
  }

  const tensors: [string, object][] = [
    ['without dtype', { dtype: undefined }],
    ['with a negative size', { shape: [-2, 2] }],
    ['with a size that is no integer', { shape: [1.5] }],
    ['without shape', { shape: undefined }],
    ['with three offsets', { data_offsets: [0, 8, 16] }],
    ['with a negative offset', { data_offsets: [-8, 16] }],
    ['that ends before it begins', { data_offsets: [16, 0] }],
    ['that ends after the file', { data_offsets: [0, 17] }],
    ['that ends far after the file', { data_offsets: [0, 2 ** 53 - 1] }],
    ['that ends past what a number can say', { data_offsets: [0, 1e300] }],
  ];
  for (const [what, change] of tensors) {
    it(`refuses a tensor ${what}, naming it`, async () => {
      write({ fine: GOOD, wrong: { ...GOOD, ...change } });
      expect((await rejection(readSafetensorsHeader(file), 'model_invalid')).message).to.include("'wrong'");
    });
  }

  it('refuses a file cut within its data', async () => {
    write({ a: GOOD }, DATA.subarray(0, 15));
    expect((await rejection(readSafetensorsHeader(file), 'model_invalid')).message).to.include('cut');
  });
});
