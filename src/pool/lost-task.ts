import { DistilserveError, messageOf } from '../domain/errors.js';

/**
 * What it means that Piscina rejects a task, whatever it says: a worker answers its own failures as replies, so the
 * thread is gone or the pool is closed.
 */
export function lostTask(error: unknown, closed: boolean): DistilserveError {
  if (closed) return shuttingDown(error);
  return new DistilserveError(
    'worker_died',
    `Expected an answer from a worker thread but it ended (${messageOf(error)}); it was replaced, try again`,
    { cause: error },
  );
}

export function shuttingDown(cause?: unknown): DistilserveError {
  return new DistilserveError('shutting_down', 'The server is shutting down', { cause });
}
