import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { DistilserveError, messageOf } from '../domain/errors.js';
import { fromFailure, type StoreReply, type StoreTask, type StoreWorkerData } from '../worker/store-protocol.js';

const MAX_QUEUE = 4096;

/** The embedded store's own thread, so that the event loop never searches, hashes or reads. */
export class StorePool {
  readonly #piscina: Piscina;

  constructor(workerData: StoreWorkerData) {
    this.#piscina = new Piscina({
      filename: fileURLToPath(new URL('../worker/store-worker.js', import.meta.url)),
      minThreads: 1,
      maxThreads: 1,
      maxQueue: MAX_QUEUE,
      workerData,
    });
    // A thread that dies idle is replaced; without a listener its error would end the process.
    this.#piscina.on('error', (error: Error) => process.emitWarning(error.message, 'StoreWorkerWarning'));
  }

  /**
   * Runs one task. An aborted `signal` ends the wait, never the task: piscina would kill the thread to stop it.
   *
   * @throws DistilserveError what the worker answered; queue_full; worker_died; or the signal's reason
   */
  async run<T>(task: StoreTask, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const reply = await until(this.#send(task), signal);
    if (reply.ok) return reply.value as T;
    throw fromFailure(reply.error);
  }

  /** Waits for the tasks that run and ends the thread. */
  async close(): Promise<void> {
    await this.#piscina.close();
  }

  async #send(task: StoreTask): Promise<StoreReply> {
    try {
      return (await this.#piscina.run(task)) as StoreReply;
    } catch (error) {
      const message = messageOf(error);
      if (message === 'Task queue is at limit') {
        throw new DistilserveError('queue_full', `Expected at most ${MAX_QUEUE} searches to wait; try again later`, {
          retryAfterSeconds: 1,
        });
      }
      if (message.startsWith('worker exited')) {
        throw new DistilserveError(
          'worker_died',
          `Expected an answer from the store's thread but it died: ${message}`,
          {
            cause: error,
          },
        );
      }
      throw error;
    }
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
