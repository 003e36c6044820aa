import { expect } from 'chai';
import { addon } from '../../src/native/addon.js';
import type { VectorIndex } from '../../src/native/types.js';
import { randomNumbers } from '../../train/lib/random.js';
import { expectClose, norm } from '../helpers/tensors.js';
import { thrown } from '../helpers/tiny-model.js';

function unit(values: readonly number[]): number[] {
  const length = norm(values);
  return values.map((value) => value / length);
}

function indexOf(rows: readonly (readonly number[])[]): VectorIndex {
  return new (addon().VectorIndex)(Float32Array.from(rows.flat()), rows[0]!.length);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}

describe('VectorIndex#search()', () => {
  it('gives the rows by falling cosine, as a search by hand does', () => {
    const random = randomNumbers(5);
    const rows = Array.from({ length: 300 }, () => unit(Array.from({ length: 24 }, () => random() - 0.5)));
    const index = indexOf(rows);
    for (const query of rows.slice(0, 20)) {
      const expected = rows
        .map((row, at) => ({ at, score: cosine(row, query) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, 10);
      const { rows: found, scores } = index.search(Float32Array.from(query), 10);
      expect([...found]).to.deep.equal(expected.map(({ at }) => at));
      expectClose(
        scores,
        expected.map(({ score }) => score),
        1e-6,
        'scores',
      );
    }
  });

  it('gives the lower row first where scores are equal', () => {
    const [a, b] = [unit([1, 2, 3]), unit([3, 2, 1])];
    const { rows, scores } = indexOf([b, a, b, a, a]).search(Float32Array.from(a), 5);
    expect([...rows]).to.deep.equal([1, 3, 4, 0, 2]);
    expect(scores[0]).to.equal(scores[2]);
  });

  it('never gives a score above 1', () => {
    const random = randomNumbers(11);
    const rows = Array.from({ length: 200 }, () => unit(Array.from({ length: 17 }, () => random())));
    const index = indexOf(rows);
    rows.forEach((row, at) => {
      const { rows: found, scores } = index.search(Float32Array.from(row), 1);
      expect(found[0]).to.equal(at);
      expect(scores[0]).to.be.at.most(1).and.closeTo(1, 1e-6);
    });
  });

  it('tells opposite from equal direction', () => {
    const { rows, scores } = indexOf([
      [-1, 0],
      [0, 1],
      [1, 0],
    ]).search(Float32Array.from([1, 0]), 3);
    expect([...rows]).to.deep.equal([2, 1, 0]);
    expect([...scores]).to.deep.equal([1, 0, -1]);
  });

  it('gives every row when k is larger than that, and none of an empty index', () => {
    const index = indexOf([
      [1, 0],
      [0, 1],
    ]);
    expect(index.search(Float32Array.from([1, 0]), 100).rows).to.have.length(2);
    const empty = new (addon().VectorIndex)(new Float32Array(0), 2);
    expect(empty.search(Float32Array.from([1, 0]), 5).rows).to.have.length(0);
  });

  it('refuses a query that is not of norm 1 or of another size, and a k below 1', () => {
    const index = indexOf([
      [1, 0],
      [0, 1],
    ]);
    expect(thrown(() => index.search(Float32Array.from([2, 0]), 1), 'invalid_argument')).to.include('norm');
    expect(thrown(() => index.search(Float32Array.from([Number.NaN, 0]), 1), 'invalid_argument')).to.include('norm');
    expect(thrown(() => index.search(Float32Array.from([1, 0, 0]), 1), 'invalid_argument')).to.include('2');
    expect(thrown(() => index.search(Float32Array.from([1, 0]), 0), 'invalid_argument')).to.include('k');
  });
});

describe('new VectorIndex()', () => {
  it('refuses a vector that is not of norm 1, naming it', () => {
    for (const wrong of [
      [0, 0],
      [1, 1],
      [1.001, 0],
      [0.999, 0],
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, 0],
    ]) {
      expect(thrown(() => indexOf([[1, 0], wrong]), 'invalid_argument')).to.include('vector 1');
    }
  });

  it('refuses a number of values that makes no whole row, and other types', () => {
    const Constructor = addon().VectorIndex as unknown as new (...args: unknown[]) => unknown;
    thrown(() => new Constructor(Float32Array.from([1, 0, 0]), 2), 'invalid_argument');
    thrown(() => new Constructor(Float32Array.from([1]), 0), 'invalid_argument');
    expect(thrown(() => new Constructor([1, 0], 2), 'invalid_argument')).to.include('Float32Array');
    expect(thrown(() => new Constructor(Float64Array.from([1, 0]), 2), 'invalid_argument')).to.include('Float32Array');
  });

  it('copies: what happens to the array afterwards does not matter', () => {
    const values = Float32Array.from([1, 0, 0, 1]);
    const index = new (addon().VectorIndex)(values, 2);
    values.fill(0);
    expect(index.vector(0)).to.deep.equal(Float32Array.from([1, 0]));
  });
});

describe('VectorIndex#vector()', () => {
  it('gives a copy of a row', () => {
    const index = indexOf([
      [1, 0],
      [0, 1],
    ]);
    index.vector(1).fill(7);
    expect(index.vector(1)).to.deep.equal(Float32Array.from([0, 1]));
  });

  it('refuses a row that is not there', () => {
    const index = indexOf([
      [1, 0],
      [0, 1],
    ]);
    for (const row of [-1, 2, 0.5]) thrown(() => index.vector(row), 'invalid_argument');
  });
});

describe('VectorIndex#dispose()', () => {
  it('may be called twice, and makes every later call throw disposed', () => {
    const index = indexOf([[1, 0]]);
    index.dispose();
    index.dispose();
    thrown(() => index.search(Float32Array.from([1, 0]), 1), 'disposed');
    thrown(() => index.vector(0), 'disposed');
  });
});
