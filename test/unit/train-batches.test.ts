import { expect } from 'chai';
import { epochOrder, gather } from '../../train/lib/batches.js';
import { randomNumbers, shuffled } from '../../train/lib/random.js';

const random = randomNumbers(3);
const LENGTHS = Array.from({ length: 1003 }, () => 3 + Math.floor(random() * 100));
const BATCH = 16;

function padding(order: readonly number[][]): number {
  return order.reduce((sum, rows) => {
    const longest = Math.max(...rows.map((row) => LENGTHS[row]!));
    return sum + rows.reduce((wasted, row) => wasted + longest - LENGTHS[row]!, 0);
  }, 0);
}

describe('epochOrder()', () => {
  it('is a pure function of its arguments', () => {
    expect(epochOrder(LENGTHS, BATCH, 42, 1)).to.deep.equal(epochOrder([...LENGTHS], BATCH, 42, 1));
  });

  it('differs between epochs and between seeds', () => {
    const order = JSON.stringify(epochOrder(LENGTHS, BATCH, 42, 0));
    expect(JSON.stringify(epochOrder(LENGTHS, BATCH, 42, 1))).not.to.equal(order);
    expect(JSON.stringify(epochOrder(LENGTHS, BATCH, 43, 0))).not.to.equal(order);
  });

  it('gives every row once, in batches of the size with one smaller one', () => {
    const order = epochOrder(LENGTHS, BATCH, 42, 0);
    expect(order.flat().sort((a, b) => a - b)).to.deep.equal([...LENGTHS.keys()]);
    const sizes = order.map((rows) => rows.length).sort((a, b) => a - b);
    expect(sizes).to.deep.equal([1003 % BATCH, ...new Array<number>(Math.floor(1003 / BATCH)).fill(BATCH)]);
  });

  it('puts rows of similar length together: a tenth of the padding of a plain shuffle', () => {
    const plain = shuffled([...LENGTHS.keys()], randomNumbers(1));
    const plainOrder = Array.from({ length: 63 }, (_, batch) => plain.slice(batch * BATCH, (batch + 1) * BATCH));
    expect(padding(epochOrder(LENGTHS, BATCH, 42, 0))).to.be.below(padding(plainOrder) / 10);
  });

  it('does not run from long to short: batches are shuffled', () => {
    const first = epochOrder(LENGTHS, BATCH, 42, 0).map((rows) => LENGTHS[rows[0]!]!);
    const falls = first.filter((length, index) => index > 0 && length < first[index - 1]!).length;
    expect(falls).to.be.within(0.3 * first.length, 0.7 * first.length);
  });
});

describe('gather()', () => {
  const encoded = {
    ids: Int32Array.from([2, 5, 3, 2, 3, 2, 7, 8, 3]),
    offsets: Int32Array.from([0, 3, 5, 9]),
    truncated: [false, false, false],
  };

  it('picks rows with their labels, in the order asked', () => {
    expect(gather(encoded, Int32Array.from([10, 11, 12]), [2, 0, 1, 0])).to.deep.equal({
      ids: Int32Array.from([2, 7, 8, 3, 2, 5, 3, 2, 3, 2, 5, 3]),
      offsets: Int32Array.from([0, 4, 7, 9, 12]),
      labels: Int32Array.from([12, 10, 11, 10]),
    });
  });
});

describe('shuffled()', () => {
  it('keeps every item, leaves its argument alone, and moves items evenly', () => {
    const items = [0, 1, 2, 3];
    const first = [0, 0, 0, 0];
    const numbers = randomNumbers(9);
    for (let round = 0; round < 4000; round++) {
      const copy = shuffled(items, numbers);
      first[copy[0]!]!++;
      if (round < 20) expect([...copy].sort()).to.deep.equal(items);
    }
    expect(items).to.deep.equal([0, 1, 2, 3]);
    for (const count of first) expect(count).to.be.within(850, 1150);
  });
});
