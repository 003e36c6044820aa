/** How a worker answers its pool: errors lose their class and `code` between threads, so they travel as values. */
import { DistilserveError, type ErrorCode, isErrorCode, messageOf } from '../domain/errors.js';

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly cause: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Failure };

/** Does a task and makes a reply of its outcome; never rejects. */
export async function reply<T>(task: () => T | Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await task() };
  } catch (error) {
    return { ok: false, error: toFailure(error) };
  }
}

/**
 * The value of a reply.
 *
 * @throws DistilserveError what the worker threw: `internal`, with the worker's stack as cause, for anything unexpected
 */
export function fromReply<T>(reply: Reply<T>): T {
  if (reply.ok) return reply.value;
  const { code, message, cause, retryAfterSeconds } = reply.error;
  throw new DistilserveError(code, message, { cause, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) });
}

function toFailure(error: unknown): Failure {
  const message = messageOf(error);
  if (error instanceof DistilserveError) {
    const { code, cause, retryAfterSeconds } = error;
    return { code, message, cause: cause === undefined ? undefined : messageOf(cause), retryAfterSeconds };
  }
  const { code, stack } = (error ?? {}) as { code?: unknown; stack?: string };
  return { code: isErrorCode(code) ? code : 'internal', message, cause: stack, retryAfterSeconds: undefined };
}
