/** What the embedded store and its thread say to each other. */
import { DistilserveError, type ErrorCode, messageOf } from '../domain/errors.js';
import type { Product } from '../domain/types.js';

export interface StoreWorkerData {
  readonly path: string;
  readonly encoderDigest: string | undefined;
}

export type StoreTask =
  | { readonly kind: 'neighbors'; readonly productId: string; readonly k: number }
  | { readonly kind: 'count' }
  | {
      readonly kind: 'replace';
      readonly points: { readonly dim: number; readonly products: readonly Product[]; readonly vectors: Float32Array };
      readonly encoderDigest: string;
    };

/** Errors lose their class and `code` between threads: they travel as values. */
export interface StoreFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly cause: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

export type StoreReply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: StoreFailure };

export function toFailure(error: DistilserveError): StoreFailure {
  const { code, message, cause, retryAfterSeconds } = error;
  return { code, message, cause: cause === undefined ? undefined : messageOf(cause), retryAfterSeconds };
}

export function fromFailure({ code, message, cause, retryAfterSeconds }: StoreFailure): DistilserveError {
  return new DistilserveError(code, message, { cause, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) });
}
