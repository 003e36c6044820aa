/**
 * A bounded queue of texts in front of the inference engine.
 *
 * An idle worker takes what waits at once, so an unloaded server adds no delay. While all workers are busy, texts
 * gather, and the next free worker takes as many as its token budget allows. A batch may hold texts of several
 * requests, and a request may be spread over several batches; every text remembers its request and its position there.
 *
 * A request leaves as a whole: with all its results, or with the first error that meets it (a failed batch, its
 * aborted signal). Its texts that still wait leave the queue with it; those that already run are computed and dropped.
 */
import { DistilserveError } from '../domain/errors.js';
import type { ClassifiedBatch, InferenceEngine, TextResult } from '../domain/types.js';
import { type Item, PendingRequest } from './pending-request.js';

export interface BatcherOptions {
  /** Texts that may wait; a request that does not fit whole is refused whole. */
  readonly maxQueue: number;
  /** Estimated tokens that one batch may hold; a single text always fits. */
  readonly maxBatchTokens: number;
  /** The model's max_length: what a longer text is cut to. */
  readonly maxLength: number;
  /** Called after each batch that the engine answered. */
  readonly onBatch?: (batch: ClassifiedBatch) => void;
}

/** BERT's WordPiece makes English of 4 to 5 bytes a token; other scripts and digits come out lower than they are. */
const BYTES_PER_TOKEN = 4;
/** [CLS] and [SEP]. */
const SPECIAL_TOKENS = 2;
/** How much the newest batch counts in the running mean of the time a text takes. */
const NEWEST_WEIGHT = 0.2;
const LONGEST_RETRY_AFTER_S = 60;
/** What the texts that wait may hold together: far more than 2048 texts of any model's length, far less than a heap. */
const MAX_WAITING_BYTES = 64 * 2 ** 20;

export function estimateTokens(text: string, maxLength: number): number {
  return Math.min(maxLength, SPECIAL_TOKENS + Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN));
}

function byteLength(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

export class Batcher {
  readonly #engine: InferenceEngine;
  readonly #options: BatcherOptions;
  /** Requests with texts that wait, oldest first. */
  readonly #waiting = new Set<PendingRequest>();
  #waitingTexts = 0;
  #waitingTokens = 0;
  /** Of whole requests: each keeps all its texts until it is answered. */
  #waitingBytes = 0;
  #runningBatches = 0;
  #msPerText = 0;
  #draining = false;
  #onIdle: (() => void)[] = [];

  constructor(engine: InferenceEngine, options: BatcherOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  get waitingTexts(): number {
    return this.#waitingTexts;
  }

  get runningBatches(): number {
    return this.#runningBatches;
  }

  /**
   * Classifies texts; results keep the order of `texts`.
   *
   * @throws DistilserveError queue_full (with `retryAfterSeconds`), shutting_down; the engine's error when a batch
   *   fails; the signal's reason when it aborts
   */
  classify(texts: readonly string[], signal?: AbortSignal): Promise<TextResult[]> {
    const refusal = signal?.aborted ? signal.reason : this.#refusal(texts);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (texts.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const tokens = texts.map((text) => estimateTokens(text, this.#options.maxLength));
      const onAbort = () => this.#fail(request, signal?.reason);
      const settled = () => signal?.removeEventListener('abort', onAbort);
      const request = new PendingRequest(texts, byteLength(texts), tokens, resolve, reject, settled);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(request);
      this.#waitingTexts += texts.length;
      this.#waitingTokens += request.waitingTokens;
      this.#waitingBytes += request.bytes;
      this.#dispatch();
    });
  }

  /** Refuses new requests and resolves when nothing waits or runs any more. */
  drain(): Promise<void> {
    this.#draining = true;
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#tellIfIdle();
    });
  }

  #refusal(texts: readonly string[]): DistilserveError | undefined {
    if (this.#draining) {
      return new DistilserveError(
        'shutting_down',
        'The server is stopping; send the request again, to another instance',
      );
    }
    const { maxQueue } = this.#options;
    const count = texts.length;
    if (this.#waitingTexts + count > maxQueue) {
      return this.#full(`${count} more in the queue of ${maxQueue} texts but ${this.#waitingTexts} wait`);
    }
    const bytes = byteLength(texts);
    // Whatever its size, one request fits into an empty queue.
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      return this.#full(`${bytes} more in the queue of ${MAX_WAITING_BYTES} bytes but ${this.#waitingBytes} wait`);
    }
    return undefined;
  }

  #full(what: string): DistilserveError {
    const retryAfterSeconds = this.#secondsOfWork();
    const message = `Expected room for ${what}; try again in ${retryAfterSeconds} s`;
    return new DistilserveError('queue_full', message, { retryAfterSeconds });
  }

  /** How long the waiting texts will take, by the batches seen so far. */
  #secondsOfWork(): number {
    const seconds = Math.ceil((this.#waitingTexts * this.#msPerText) / this.#engine.workers / 1000);
    return Math.min(LONGEST_RETRY_AFTER_S, Math.max(1, seconds));
  }

  #dispatch(): void {
    while (this.#waitingTexts > 0 && this.#runningBatches < this.#engine.workers) {
      const idleWorkers = this.#engine.workers - this.#runningBatches;
      const fairShare = Math.ceil(this.#waitingTokens / idleWorkers);
      void this.#run(this.#take(Math.min(fairShare, this.#options.maxBatchTokens)));
    }
  }

  /** The oldest waiting texts, as many as `budget` estimated tokens allow, at least one. */
  #take(budget: number): Item[] {
    const items: Item[] = [];
    let left = budget;
    for (const request of this.#waiting) {
      while (request.waitingTexts > 0) {
        const tokens = request.nextTokens;
        if (items.length > 0 && tokens > left) return items;
        left -= tokens;
        items.push(request.takeNext());
        this.#waitingTexts -= 1;
        this.#waitingTokens -= tokens;
      }
      this.#waiting.delete(request);
      this.#waitingBytes -= request.bytes;
    }
    return items;
  }

  async #run(items: readonly Item[]): Promise<void> {
    this.#runningBatches += 1;
    const started = performance.now();
    try {
      const batch = await this.#engine.classify(items.map((item) => item.text));
      this.#deliver(items, batch);
      this.#observe((performance.now() - started) / items.length);
      this.#options.onBatch?.(batch);
    } catch (error) {
      for (const item of items) this.#fail(item.request, error);
    } finally {
      this.#runningBatches -= 1;
      this.#dispatch();
      this.#tellIfIdle();
    }
  }

  #deliver(items: readonly Item[], { results }: ClassifiedBatch): void {
    if (results.length !== items.length) {
      throw new DistilserveError(
        'internal',
        `Expected ${items.length} results from the engine but received ${results.length}. This is a bug.`,
      );
    }
    for (const [row, item] of items.entries()) item.request.accept(item.position, results[row]!);
  }

  #observe(msPerText: number): void {
    this.#msPerText =
      this.#msPerText === 0 ? msPerText : this.#msPerText + NEWEST_WEIGHT * (msPerText - this.#msPerText);
  }

  #fail(request: PendingRequest, error: unknown): void {
    if (this.#waiting.delete(request)) {
      this.#waitingTexts -= request.waitingTexts;
      this.#waitingTokens -= request.waitingTokens;
      this.#waitingBytes -= request.bytes;
    }
    request.fail(error);
    this.#tellIfIdle();
  }

  #tellIfIdle(): void {
    if (this.#waitingTexts > 0 || this.#runningBatches > 0) return;
    for (const tell of this.#onIdle.splice(0)) tell();
  }
}
