import { type FileHandle, open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { DistilserveError } from '../domain/errors.js';
import type { ClassifiedBatch, InferenceEngine, Placement } from '../domain/types.js';
import { openModelDir } from '../model/model-dir.js';
import type { WorkerReply, WorkerSetup, WorkerTask } from '../worker/protocol.js';
import { fromReply } from '../worker/reply.js';
import { lostTask, shuttingDown } from './lost-task.js';

export interface InferencePoolOptions {
  readonly modelDir: string;
  readonly placement: Placement;
  readonly workers: number;
}

/** Worker threads that each hold a tokenizer and share one copy of the weights. */
export class InferencePool implements InferenceEngine {
  #running = 0;
  #replaced = 0;
  #closed: Promise<void> | undefined;

  private constructor(
    private readonly piscina: Piscina<WorkerTask, WorkerReply>,
    /** The model's files, kept open for the workers that replace others. */
    private readonly files: readonly FileHandle[],
    readonly workers: number,
    readonly model: { digest: string; labels: readonly string[]; maxLength: number; baseModel: string },
  ) {}

  /**
   * Resolves when every worker has loaded the model and run it once.
   *
   * @throws DistilserveError model_missing, model_invalid, device_unavailable, dtype_unavailable
   */
  static async start({ modelDir, placement, workers }: InferencePoolOptions): Promise<InferencePool> {
    const source = await openModelDir(modelDir);
    if (source.config.kind !== 'classifier') {
      throw new DistilserveError('model_invalid', `Expected a classifier in ${modelDir} but it holds an encoder`);
    }
    const [weights, tokenizer] = await Promise.all([open(source.weightsPath), open(source.tokenizerPath)]);
    const held = { weightsPath: pathOf(weights), tokenizerPath: pathOf(tokenizer) };
    const setup: WorkerSetup = { model: source, placement, held };
    const piscina = new Piscina<WorkerTask, WorkerReply>({
      filename: new URL('../worker/inference-worker.js', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
      workerData: setup,
    });
    const { labels, maxLength, baseModel } = source.config;
    const pool = new InferencePool(piscina, [weights, tokenizer], workers, {
      digest: source.digest,
      labels,
      maxLength,
      baseModel: baseModel.id,
    });
    piscina.on('workerDestroy', () => pool.#countReplaced());
    // A thread that dies idle is replaced; without a listener its error would end the process.
    piscina.on('error', (error: Error) => process.emitWarning(error.message, 'InferenceWorkerWarning'));
    try {
      await pool.#warm();
    } catch (error) {
      await piscina.destroy();
      await pool.#release();
      throw error;
    }
    return pool;
  }

  /** Worker threads that died and were replaced. */
  get replacedWorkers(): number {
    return this.#replaced;
  }

  async classify(texts: readonly string[]): Promise<ClassifiedBatch> {
    this.#running++;
    try {
      // Batches handed out in the same turn of the event loop must see each other before the cores are shared out.
      await Promise.resolve();
      // One forward alone may use all cores; as soon as two run, each is quicker on its own.
      const threads = this.#running === 1 ? availableParallelism() : 1;
      const value = await this.#run({ kind: 'classify', texts, threads });
      if (value === undefined) throw new DistilserveError('internal', 'Expected results of a batch. This is a bug.');
      return value;
    } finally {
      this.#running--;
    }
  }

  /** Lets running batches finish, then ends the threads; idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.piscina.close().then(() => this.#release());
    return this.#closed;
  }

  async #release(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }

  async #warm(): Promise<void> {
    const arrivals = new Int32Array(new SharedArrayBuffer(4));
    const tasks = Array.from({ length: this.workers }, () =>
      this.#run({ kind: 'warm', arrivals, workers: this.workers }),
    );
    await Promise.all(tasks);
  }

  #countReplaced(): void {
    if (this.#closed === undefined) this.#replaced++;
  }

  async #run(task: WorkerTask): Promise<ClassifiedBatch | undefined> {
    // Piscina starts threads anew for a task that comes after close().
    if (this.#closed !== undefined) throw shuttingDown();
    const reply = await this.piscina.run(task).catch((error: unknown) => {
      throw lostTask(error, this.#closed !== undefined);
    });
    return fromReply(reply);
  }
}

/** A path to an open file, good in every thread, also when no directory has the file any more (Linux). */
function pathOf({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`;
}
