import { QdrantClient } from '@qdrant/js-client-rest';
import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type RetryPolicy,
  retry,
  TaskCancelledError,
} from 'cockatiel';
import { isOutage, isWorthRetrying, toStoreError, unavailable } from './qdrant-errors.js';

export interface QdrantAddress {
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Deadline of one search. */
  readonly timeoutMs: number;
}

type Api = ReturnType<QdrantClient['api']>;
type Call<T> = (api: Api, init: RequestInit) => Promise<{ data: { result?: T } }>;

const RETRIES = 2;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 500;
const FAILURES_TO_BREAK = 5;
/** Creating a collection and storing a batch wait for Qdrant's disk. */
const WRITE_TIMEOUT_MS = 60_000;

/** Calls to one Qdrant: each with a deadline, reads repeated after a jittered pause and stopped by a circuit breaker. */
export class QdrantConnection {
  readonly #api: Api;
  readonly #timeoutMs: number;
  readonly #retry: RetryPolicy;
  readonly #breaker: CircuitBreakerPolicy;

  /** @param pauseMs how long Qdrant is left alone after failures in a row */
  constructor({ url, apiKey, timeoutMs }: QdrantAddress, pauseMs = 5000) {
    // The client drops the path of `url`, so it goes in as `prefix`.
    const { origin, pathname } = new URL(url);
    this.#api = new QdrantClient({
      url: origin,
      prefix: pathname.replace(/\/+$/, ''),
      ...(apiKey !== undefined && { apiKey }),
      checkCompatibility: false,
      // A finite timeout would replace the signal of `init`.
      timeout: Number.POSITIVE_INFINITY,
    }).api();
    this.#timeoutMs = timeoutMs;
    this.#retry = retry(handleWhen(isWorthRetrying), {
      maxAttempts: RETRIES,
      backoff: new ExponentialBackoff({ initialDelay: FIRST_RETRY_MS, maxDelay: MAX_RETRY_MS }),
    });
    this.#breaker = circuitBreaker(handleWhen(isOutage), {
      halfOpenAfter: pauseMs,
      breaker: new ConsecutiveBreaker(FAILURES_TO_BREAK),
    });
  }

  /**
   * A call that changes nothing.
   *
   * @throws DistilserveError store_unavailable; `onError` may turn the client's error into another first
   */
  async read<T>(call: Call<T>, signal?: AbortSignal, onError?: (error: unknown) => void): Promise<T> {
    return this.#translated(this.#timeoutMs, signal, onError, () =>
      this.#retry.execute(() => {
        // While one call tries whether Qdrant is back, cockatiel makes the others wait for it: refuse them at once.
        if (this.#breaker.state === CircuitState.HalfOpen) throw new BrokenCircuitError();
        return this.#breaker.execute(() => this.#attempt(call, this.#timeoutMs, signal));
      }, signal),
    );
  }

  /** A call that changes something: not repeated, since a lost answer does not say whether it took effect. */
  async write<T>(call: Call<T>): Promise<T> {
    return this.#translated(WRITE_TIMEOUT_MS, undefined, undefined, () => this.#attempt(call, WRITE_TIMEOUT_MS));
  }

  async #attempt<T>(call: Call<T>, timeoutMs: number, signal?: AbortSignal): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs);
    // qdrant-js#134 (client <= 1.18 on Node >= 26): let Node use its own dispatcher. Drop when the client takes
    // `fetch` (qdrant-js#146, open).
    const init = { dispatcher: undefined, signal: signal ? AbortSignal.any([deadline, signal]) : deadline };
    try {
      const { data } = await call(this.#api, init as unknown as RequestInit);
      if (data?.result == null) throw unavailable('its answer is none of Qdrant’s (QDRANT_URL)', JSON.stringify(data));
      return data.result;
    } catch (error) {
      // The caller left, which says nothing about Qdrant: not to be repeated, nor counted by the breaker.
      throw signal?.aborted ? new TaskCancelledError() : error;
    }
  }

  async #translated<T>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    onError: ((error: unknown) => void) | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    try {
      return await run();
    } catch (error) {
      signal?.throwIfAborted();
      onError?.(error);
      throw toStoreError(error, timeoutMs);
    }
  }
}
