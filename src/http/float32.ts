import { DistilserveError } from '../domain/errors.js';

/** Any decimal of 6 digits survives float32, so fewer need not be tried; 9 always name one float32. */
const FEWEST_DIGITS = 6;
const MOST_DIGITS = 9;

/**
 * The number whose JSON is the shortest decimal that names the same float32: 0.97 rather than 0.9700000286102295.
 *
 * @throws DistilserveError internal for NaN and the infinities, which JSON cannot write
 */
export function shortestFloat32(value: number): number {
  const float = Math.fround(value);
  if (!Number.isFinite(float)) {
    throw new DistilserveError(
      'internal',
      `Expected a finite number for the answer but received ${value}. This is a bug.`,
    );
  }
  for (let digits = FEWEST_DIGITS; digits < MOST_DIGITS; digits++) {
    const decimal = Number(float.toPrecision(digits));
    if (Math.fround(decimal) === float) return decimal;
  }
  return Number(float.toPrecision(MOST_DIGITS));
}
