import { DistilserveError, type ErrorCode } from '../../src/domain/errors.js';

/** The error a promise is rejected with, which must be ours and carry `code`. */
export async function rejection(promise: Promise<unknown>, code: ErrorCode): Promise<DistilserveError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof DistilserveError && error.code === code) return error;
    throw error;
  }
  throw new Error(`Expected a rejection with code ${code} but received ${JSON.stringify(value)}`);
}
