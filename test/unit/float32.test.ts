import { expect } from 'chai';
import fc from 'fast-check';
import { DistilserveError } from '../../src/domain/errors.js';
import { shortestFloat32 } from '../../src/http/float32.js';

describe('shortestFloat32()', () => {
  it('gives the decimal that a person would write', () => {
    for (const decimal of [0, 0.5, 0.97, 0.1, -0.25, 1, 0.123456789]) {
      const shortest = shortestFloat32(Math.fround(decimal));
      expect(String(shortest).length).to.be.at.most(String(Math.fround(decimal)).length);
      expect(shortest).to.equal(decimal === 0.123456789 ? 0.12345679 : decimal);
    }
  });

  it('names the same float32, in at most 9 digits, for every float32', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const shortest = shortestFloat32(value);
        expect(Math.fround(shortest)).to.equal(value);
        expect(shortest.toExponential().replace(/e.*|[-.]/g, '').length).to.be.at.most(9);
      }),
    );
  });

  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`refuses ${value}, which JSON would write as null`, () => {
      expect(() => shortestFloat32(value))
        .to.throw(DistilserveError)
        .with.property('code', 'internal');
    });
  }
});
