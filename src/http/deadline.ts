import type { Context } from 'koa';
import { DistilserveError } from '../domain/errors.js';

/**
 * Runs `work` with a signal that aborts when the deadline passes or the client leaves; then rejects at once, whatever
 * `work` does.
 *
 * @throws DistilserveError deadline_exceeded; an AbortError when the client left; what `work` throws
 */
export async function withDeadline<T>(
  ctx: Pick<Context, 'res'>,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  // Listens before `work` does, so that the signal's reason wins over what `work` makes of it.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  const leave = () => controller.abort();
  const timer = setTimeout(() => controller.abort(deadlineExceeded(timeoutMs)), timeoutMs);
  // A response that is closed already tells nobody again.
  if (ctx.res.closed) leave();
  else ctx.res.once('close', leave);
  try {
    return await Promise.race([aborted, work(signal)]);
  } finally {
    clearTimeout(timer);
    ctx.res.off('close', leave);
  }
}

function deadlineExceeded(timeoutMs: number): DistilserveError {
  return new DistilserveError(
    'deadline_exceeded',
    `Expected an answer within ${timeoutMs} ms but it took longer; try again, or send fewer texts at once`,
  );
}
