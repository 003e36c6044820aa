import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../src/domain/errors.js';
import type { Neighbor, Prediction } from '../../../src/domain/types.js';

const TEXT = 'Great product, works perfectly';
const PRODUCT = 'SKU-123';
const PAUSE_MS = 20;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Asks until the server listens; its first answer has to be right.
 *
 * @throws Error when the answer is another, or the signal aborts first
 */
export async function firstPrediction(url: string, signal: AbortSignal): Promise<string> {
  const body = await askWhenThere(`${url}/predict`, { text: TEXT }, signal);
  const { label, confidence } = JSON.parse(body) as Prediction;
  if (label === 'positive' && confidence > 0.5 && confidence <= 1) return body;
  throw new Error(`Expected positive for ${JSON.stringify(TEXT)} but received ${body}`);
}

/** Five others by falling score. */
export async function firstRecommendation(url: string, signal: AbortSignal): Promise<string> {
  const body = await askWhenThere(`${url}/recommend`, { product_id: PRODUCT }, signal);
  const { product_id, neighbors } = JSON.parse(body) as { product_id: string; neighbors: Neighbor[] };
  const falling = neighbors.every(({ score }, at) => at === 0 || score <= neighbors[at - 1]!.score);
  const others = new Set(neighbors.map(({ id }) => id).filter((id) => id !== PRODUCT));
  if (product_id === PRODUCT && others.size === 5 && neighbors.length === 5 && falling) return body;
  throw new Error(`Expected 5 neighbours of ${PRODUCT} but received ${body}`);
}

async function askWhenThere(url: string, value: unknown, signal: AbortSignal): Promise<string> {
  for (;;) {
    signal.throwIfAborted();
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
      signal,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      const cause = (error as { cause?: unknown }).cause ?? error;
      // Nothing listens there yet.
      if ((cause as { code?: unknown }).code === 'ECONNREFUSED') return undefined;
      throw new Error(`Expected an answer of ${url} but the request failed: ${messageOf(cause)}`);
    });
    if (response?.status === 200) return response.text();
    if (response)
      throw new Error(`Expected status 200 of ${url} but received ${response.status} ${await response.text()}`);
    await sleep(PAUSE_MS, undefined, { signal });
  }
}
