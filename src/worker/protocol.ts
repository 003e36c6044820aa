/** The wire between the pool and its worker threads: structured clones only, since errors lose their class on the way. */
import { DistilserveError, type ErrorCode, isErrorCode, messageOf } from '../domain/errors.js';
import type { ClassifiedBatch, Placement } from '../domain/types.js';
import type { ModelDir } from '../model/model-dir.js';

/** What each worker is started with. */
export interface WorkerSetup {
  readonly model: ModelDir;
  readonly placement: Placement;
}

export interface ClassifyTask {
  readonly kind: 'classify';
  readonly texts: readonly string[];
  readonly threads: number;
}

/** Ends only when `arrivals[0]` workers have taken one: so every worker is known to be loaded and warm. */
export interface WarmTask {
  readonly kind: 'warm';
  readonly arrivals: Int32Array;
  readonly workers: number;
}

export type WorkerTask = ClassifyTask | WarmTask;

export type Reply<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: { readonly code: ErrorCode; readonly message: string } };

export type WorkerReply = Reply<ClassifiedBatch | undefined>;

export function toReply(error: unknown): WorkerReply {
  const code = (error as { code?: unknown }).code;
  return { ok: false, error: { code: isErrorCode(code) ? code : 'internal', message: messageOf(error) } };
}

export function fromReply<T>(reply: Reply<T>): T {
  if (reply.ok) return reply.value;
  throw new DistilserveError(reply.error.code, reply.error.message);
}
