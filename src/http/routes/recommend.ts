import type { Middleware } from 'koa';
import type { RecommendationService } from '../../service/recommendation.js';
import { readJson } from '../body.js';
import { withDeadline } from '../deadline.js';
import { shortestFloat32 } from '../float32.js';
import type { RequestLimits } from '../limits.js';
import { checkRecommendBody } from '../schemas.js';

const DEFAULT_K = 5;

/** `POST /recommend`: the products nearest to one that the store holds. */
export function recommend(service: RecommendationService, limits: RequestLimits): Middleware {
  return async (ctx) => {
    const { product_id, k = DEFAULT_K } = checkRecommendBody(await readJson(ctx, limits.maxBodyBytes));
    const neighbors = await withDeadline(ctx, limits.requestTimeoutMs, (signal) =>
      service.recommend(product_id, k, signal),
    );
    ctx.body = { product_id, neighbors: neighbors.map(({ id, score }) => ({ id, score: shortestFloat32(score) })) };
  };
}
