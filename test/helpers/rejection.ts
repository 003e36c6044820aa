import { DistilserveError, type ErrorCode } from '../../src/domain/errors.js';

/** The error that a promise is rejected with; where a code is expected it must be ours and carry that code. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: unknown }>;
export async function rejection(promise: Promise<unknown>, code: ErrorCode): Promise<DistilserveError>;
export async function rejection(promise: Promise<unknown>, code?: ErrorCode): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (code === undefined && error instanceof Error) return error;
    if (error instanceof DistilserveError && error.code === code) return error;
    throw error;
  }
  throw new Error(`Expected a rejection${code ? ` with code ${code}` : ''} but received ${JSON.stringify(value)}`);
}
