import type { Middleware } from 'koa';
import type { Prediction } from '../../domain/types.js';
import type { PredictionService } from '../../service/prediction.js';
import { readJson } from '../body.js';
import { withDeadline } from '../deadline.js';
import { shortestFloat32 } from '../float32.js';
import type { RequestLimits } from '../limits.js';
import { checkPredictBody } from '../schemas.js';

/** `POST /predict`: one text or a batch. `X-Truncated` tells what was longer than the model reads. */
export function predict(service: PredictionService, limits: RequestLimits): Middleware {
  return async (ctx) => {
    const body = checkPredictBody(await readJson(ctx, limits.maxBodyBytes));
    const single = 'text' in body;
    const texts = single ? [body.text] : body.texts;
    const result = await withDeadline(ctx, limits.requestTimeoutMs, (signal) => service.predict(texts, signal));
    const predictions = result.predictions.map(toJson);
    if (result.truncated.length > 0) ctx.set('X-Truncated', single ? 'true' : result.truncated.join(','));
    ctx.body = single ? predictions[0] : { predictions };
  };
}

function toJson({ label, confidence }: Prediction): Prediction {
  return { label, confidence: shortestFloat32(confidence) };
}
