import { Router } from '@koa/router';
import Koa, { type Context, type Middleware, type Next } from 'koa';
import { DistilserveError } from '../domain/errors.js';
import type { PredictionService } from '../service/prediction.js';
import type { RecommendationService } from '../service/recommendation.js';
import { expectationOf } from './body.js';
import type { RequestLimits } from './limits.js';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';
import { errors } from './middleware/errors.js';
import { observe, refuseUnreadableTarget } from './middleware/observe.js';
import { predict } from './routes/predict.js';
import { recommend } from './routes/recommend.js';

export interface Services {
  readonly prediction: PredictionService;
  readonly recommendation: RecommendationService;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits: RequestLimits;
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handle: Middleware;
}

/** The application; it never listens. It belongs into an `HttpServer`, which leaves `Expect` headers to it. */
export function createApp(services: Services): Koa {
  const { prediction, recommendation, metrics, logger, limits } = services;
  const routes: Route[] = [
    { method: 'POST', path: '/predict', handle: predict(prediction, limits) },
    { method: 'POST', path: '/recommend', handle: recommend(recommendation, limits) },
    { method: 'GET', path: '/healthz', handle: health },
    { method: 'GET', path: '/metrics', handle: renderMetrics(metrics) },
  ];
  const router = new Router({ strict: true, sensitive: true });
  for (const { method, path, handle } of routes) router.register(path, [method], handle);

  const app = new Koa();
  app.use(observe(logger, metrics, new Set(routes.map((route) => route.path))));
  app.use(errors(logger));
  app.use(refuseUnreadableTarget);
  app.use(refuseAmbiguousHost);
  app.use(refuseUnknownExpectation);
  app.use(router.routes());
  app.use(unrouted(routes));
  // What goes wrong after the middleware, while an answer is written: mostly a client that left.
  app.on('error', (error: Error) => logger.debug({ err: error }, 'answer not written'));
  return app;
}

function health(ctx: Context): void {
  ctx.body = { status: 'ok' };
}

function renderMetrics(metrics: Metrics): Middleware {
  return async (ctx) => {
    ctx.set('Content-Type', metrics.contentType);
    ctx.body = await metrics.render();
  };
}

/** HTTP/1.1 requires one Host; version 1.0 knows none, but two name two servers there as well. */
function refuseAmbiguousHost(ctx: Context, next: Next): Promise<void> {
  const count = ctx.req.headersDistinct.host?.length ?? 0;
  if (count === 1 || (count === 0 && ctx.req.httpVersion !== '1.1')) return next();
  throw new DistilserveError('invalid_request', `Expected one Host header but received ${count}; send exactly one`);
}

function refuseUnknownExpectation(ctx: Context, next: Next): Promise<void> {
  if (expectationOf(ctx.req) !== 'unknown') return next();
  throw new DistilserveError('expectation_failed', 'Expected no Expect header but 100-continue; leave it out');
}

/** 404 for a path that nobody serves; 405, or the answer to OPTIONS, with the methods of a path that exists. */
function unrouted(routes: readonly Route[]): Middleware {
  const allow = new Map(
    routes.map(({ method, path }) => [path, method === 'GET' ? 'GET, HEAD, OPTIONS' : 'POST, OPTIONS']),
  );
  return (ctx) => {
    const methods = allow.get(ctx.path);
    if (methods === undefined) {
      throw new DistilserveError(
        'not_found',
        `Expected one of the paths ${[...allow.keys()].join(', ')} but received another`,
      );
    }
    ctx.set('Allow', methods);
    if (ctx.method === 'OPTIONS') ctx.status = 204;
    else {
      const message = `Expected one of the methods ${methods} for ${ctx.path} but received ${ctx.method}`;
      throw new DistilserveError('method_not_allowed', message);
    }
  };
}
