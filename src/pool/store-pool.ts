import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { DistilserveError } from '../domain/errors.js';
import { fromReply, type Reply } from '../worker/reply.js';
import type { StoreTask, StoreWorkerData } from '../worker/store-protocol.js';
import { lostTask, shuttingDown } from './lost-task.js';

const MAX_QUEUE = 4096;

/** The embedded store's own thread, so that the event loop never searches, hashes or reads. */
export class StorePool {
  readonly #piscina: Piscina<StoreTask, Reply<unknown>>;
  #closed: Promise<void> | undefined;

  constructor(workerData: StoreWorkerData) {
    this.#piscina = new Piscina({
      filename: fileURLToPath(new URL('../worker/store-worker.js', import.meta.url)),
      minThreads: 1,
      maxThreads: 1,
      workerData,
    });
    // A thread that dies idle is replaced; without a listener its error would end the process.
    this.#piscina.on('error', (error: Error) => process.emitWarning(error.message, 'StoreWorkerWarning'));
  }

  /**
   * Runs one task. An aborted `signal` ends the wait, never the task: piscina would kill the thread to stop it.
   *
   * @throws DistilserveError what the worker answered; queue_full; worker_died; shutting_down; or the signal's reason
   */
  async run<T>(task: StoreTask, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    return fromReply(await until(this.#send(task), signal)) as T;
  }

  /** Waits for the tasks that run and ends the thread; idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#piscina.close();
    return this.#closed;
  }

  async #send(task: StoreTask): Promise<Reply<unknown>> {
    // Piscina starts a thread anew for a task that comes after close().
    if (this.#closed !== undefined) throw shuttingDown();
    if (this.#piscina.queueSize >= MAX_QUEUE) {
      throw new DistilserveError('queue_full', `Expected at most ${MAX_QUEUE} searches to wait; try again later`, {
        retryAfterSeconds: 1,
      });
    }
    return this.#piscina.run(task).catch((error: unknown) => {
      throw lostTask(error, this.#closed !== undefined);
    });
  }
}

/** The promise's outcome, or the signal's reason when that comes first. */
function until<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
