import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Middleware, ParameterizedContext } from 'koa';
import { DistilserveError, messageOf } from '../../domain/errors.js';
import { errorBody } from '../error-body.js';
import type { Logger } from '../logger.js';
import type { RequestState } from './observe.js';

/** How long a refused body is read over, so that its sender gets to read the answer. */
const LINGER_MS = 2000;
const DEFAULT_RETRY_AFTER_S = 1;

/**
 * Answers everything thrown with the one error shape. Koa's own error path would drop the headers set so far,
 * `X-Request-Id` among them.
 */
export function errors(logger: Logger): Middleware<RequestState> {
  return async (ctx, next) => {
    try {
      await next();
    } catch (thrown) {
      if (ctx.res.closed) return; // The client left: there is nobody to answer, and the request is logged as such.
      answer(ctx, toError(thrown), logger);
    }
  };
}

function toError(thrown: unknown): DistilserveError {
  if (thrown instanceof DistilserveError) return thrown;
  return new DistilserveError('internal', messageOf(thrown), { cause: thrown });
}

function answer(ctx: ParameterizedContext<RequestState>, error: DistilserveError, logger: Logger): void {
  const { code, status } = error;
  const { requestId } = ctx.state;
  ctx.state.errorCode = code;
  if (status >= 500) log(logger, requestId, error);
  ctx.status = status;
  if (status === 429 || status === 503)
    ctx.set('Retry-After', String(error.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_S));
  const body = errorBody(code, messageFor(error), requestId);
  ctx.type = 'application/json';
  if (code !== 'payload_too_large') {
    ctx.body = body;
    return;
  }
  ctx.set('Connection', 'close');
  ctx.body = Readable.from(thenReadOver(body, ctx.req));
  ctx.length = Buffer.byteLength(body);
}

/** Faults of our own are told in general words: their messages hold paths and causes, which belong in the log. */
function messageFor({ code, status, message }: DistilserveError): string {
  if (status !== 500 || code === 'worker_died') return message;
  return 'Expected an answer but the server failed; its log has the cause under this request id';
}

function log(logger: Logger, requestId: string, error: DistilserveError): void {
  const fields = { request_id: requestId, code: error.code };
  if (error.status === 500) logger.error({ ...fields, err: error }, 'request failed');
  else
    logger.warn({ ...fields, reason: error.message, cause: error.cause && messageOf(error.cause) }, 'request refused');
}

/**
 * The answer at once, its end when the body has been read over: closing a connection with unread bytes resets it, and
 * the client that is still sending never sees why.
 */
async function* thenReadOver(body: string, req: IncomingMessage): AsyncGenerator<Buffer> {
  yield Buffer.from(body);
  if (req.complete) return;
  const controller = new AbortController();
  const ended = new Promise<void>((resolve) => req.once('end', resolve).once('close', resolve));
  req.resume();
  await Promise.race([ended, sleep(LINGER_MS, undefined, { signal: controller.signal })]);
  controller.abort();
}
