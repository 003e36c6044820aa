import { BrokenCircuitError } from 'cockatiel';
import { DistilserveError, messageOf } from '../domain/errors.js';

const RETRY_AFTER_SECONDS = 5;
const SEED_RETRY_AFTER_SECONDS = 30;

/** An HTTP answer other than success, as the client throws it. */
interface ErrorAnswer {
  readonly status: number;
  readonly data: unknown;
}

function answerOf(error: unknown): ErrorAnswer | undefined {
  if (error instanceof DistilserveError) return undefined;
  return error instanceof Error && 'status' in error && typeof error.status === 'number'
    ? { status: error.status, data: 'data' in error ? error.data : undefined }
    : undefined;
}

/** Qdrant is out of reach or cannot answer now, as opposed to answering that a request is wrong. */
export function isOutage(error: unknown): boolean {
  const answer = answerOf(error);
  if (answer !== undefined) return answer.status >= 500 || answer.status === 429;
  return isTimeout(error) || isConnectionFailure(error) || isGarbled(error) || isRateLimit(error);
}

/** A repeat may help at once; not after a deadline, which used up the caller's patience, nor against a rate limit. */
export function isWorthRetrying(error: unknown): boolean {
  return isOutage(error) && !isTimeout(error) && !isRateLimit(error) && answerOf(error)?.status !== 429;
}

/** `No point with id …`, as opposed to a collection that is not there. */
export function isUnknownPoint(error: unknown): boolean {
  return answerOf(error)?.status === 404 && textOf(error).includes('No point with id');
}

/** The same failure in our words; what is no failure of Qdrant comes back as it was. */
export function toStoreError(error: unknown, timeoutMs: number): unknown {
  if (error instanceof BrokenCircuitError) {
    return unavailable('it failed several times in a row and is left alone for a moment', error);
  }
  if (isTimeout(error)) return unavailable(`it did not answer within ${timeoutMs} ms (QDRANT_TIMEOUT_MS)`, error);
  if (isConnectionFailure(error)) return unavailable('it cannot be reached (QDRANT_URL)', error);
  if (isGarbled(error)) return unavailable('its answer was cut off or is not JSON', error);
  if (isRateLimit(error)) return unavailable('it limits the rate of requests', error);
  const answer = answerOf(error);
  if (answer === undefined) return error;
  const { status } = answer;
  if (status === 401 || status === 403) return unavailable('it refuses the API key (QDRANT_API_KEY)', error);
  if (status === 429 || status >= 500) return unavailable(`it answered with status ${status}`, error);
  if (status === 404) return notSeeded(error);
  return new DistilserveError('internal', `Expected Qdrant to take our request but it answered ${textOf(error)}`, {
    cause: error,
  });
}

function notSeeded(cause: unknown): DistilserveError {
  return new DistilserveError(
    'store_unavailable',
    'The product store is unavailable: the collection is not in Qdrant; make it with: npm run seed',
    { cause: reason(cause), retryAfterSeconds: SEED_RETRY_AFTER_SECONDS },
  );
}

export function unavailable(why: string, cause: unknown): DistilserveError {
  return new DistilserveError('store_unavailable', `The product store (Qdrant) is unavailable: ${why}`, {
    cause: reason(cause),
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

/** What goes to the log: the client's error objects hold headers, and `fetch failed` hides its reason one level down. */
function reason(error: unknown): string {
  const deeper = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : '';
  return answerOf(error) === undefined ? `${messageOf(error)}${deeper}` : textOf(error);
}

function textOf(error: unknown): string {
  const answer = answerOf(error);
  return `${answer?.status} ${JSON.stringify(answer?.data)?.slice(0, 300)}`;
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

// fetch gives a cause to failures of the network; a TypeError without one is a mistake in a program.
function isConnectionFailure(error: unknown): boolean {
  return error instanceof TypeError && error.cause !== undefined;
}

function isGarbled(error: unknown): boolean {
  return error instanceof SyntaxError;
}

// The client reads one character of Retry-After, and throws a plain error when it is no digit (1.18.0, 1.19.0).
function isRateLimit(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'QdrantClientResourceExhaustedError' || error.message.startsWith('Invalid retryAfter value'))
  );
}
