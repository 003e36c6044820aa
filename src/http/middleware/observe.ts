import { randomUUID } from 'node:crypto';
import type { Context, Middleware, Next } from 'koa';
import { DistilserveError } from '../../domain/errors.js';
import type { Logger } from '../logger.js';
import type { Metrics } from '../metrics.js';

const SANE_ID = /^[\w.:@+/=-]{1,128}$/;
const LONGEST_LOGGED_PATH = 256;
/** Logged for a target without a path to tell; the target itself may hold a query or a password. */
const UNREADABLE_PATH = '(unreadable)';
/** nginx's number for a client that left before its answer. */
const CLIENT_GONE = 499;

/** What the middleware and the routes share about one request. */
export interface RequestState {
  requestId: string;
  /** The code of the error that was answered. */
  errorCode?: string;
}

/** Gives each request an id, and after its answer one log line and its share of the metrics. */
export function observe(logger: Logger, metrics: Metrics, routes: ReadonlySet<string>): Middleware<RequestState> {
  return async (ctx, next) => {
    const started = performance.now();
    const given = ctx.get('X-Request-Id');
    const requestId = SANE_ID.test(given) ? given : randomUUID();
    ctx.state.requestId = requestId;
    ctx.set('X-Request-Id', requestId);
    // Here, not in the listener below: what throws there throws outside the middleware, and ends the process.
    const path = pathOf(ctx) ?? UNREADABLE_PATH;
    // 'close' follows the last byte of the answer, or the client's leaving.
    ctx.res.once('close', () => {
      const elapsedMs = performance.now() - started;
      const status = ctx.res.headersSent ? ctx.res.statusCode : CLIENT_GONE;
      // One label for all unknown paths, or a scanner fills the registry.
      metrics.observeRequest(routes.has(path) ? path : 'unknown', status, elapsedMs / 1000);
      logger.info(
        {
          request_id: requestId,
          method: ctx.method,
          path: path.slice(0, LONGEST_LOGGED_PATH),
          status,
          latency_ms: Number(elapsedMs.toFixed(3)),
          ...(ctx.state.errorCode === undefined ? {} : { error: ctx.state.errorCode }),
        },
        'request',
      );
    });
    await next();
  };
}

/** 400 for a target that is no URL, such as `GET http://[ HTTP/1.1`: Node's HTTP parser lets it through. */
export function refuseUnreadableTarget(ctx: Context, next: Next): Promise<void> {
  if (pathOf(ctx) !== undefined) return next();
  throw new DistilserveError(
    'invalid_request',
    'Expected a request target such as /predict but received one that is no URL; send the path alone',
  );
}

/** Koa's `path` throws for an absolute target that is no URL. */
function pathOf(ctx: Pick<Context, 'path'>): string | undefined {
  try {
    return ctx.path;
  } catch {
    return undefined;
  }
}
