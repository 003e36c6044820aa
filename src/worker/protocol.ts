/** What the inference pool and its threads say to each other. */
import type { ClassifiedBatch, Placement } from '../domain/types.js';
import type { ModelDir } from '../model/model-dir.js';
import type { Reply } from './reply.js';

/** What each worker is started with. */
export interface WorkerSetup {
  readonly model: ModelDir;
  readonly placement: Placement;
  /** The same files as the pool holds them open: they can be read after later saves removed the directory. */
  readonly held: Pick<ModelDir, 'weightsPath' | 'tokenizerPath'>;
}

interface ClassifyTask {
  readonly kind: 'classify';
  readonly texts: readonly string[];
  readonly threads: number;
}

/** Ends only when `arrivals[0]` workers have taken one: so every worker is known to be loaded and warm. */
export interface WarmTask {
  readonly kind: 'warm';
  readonly arrivals: Int32Array;
  readonly workers: number;
}

export type WorkerTask = ClassifyTask | WarmTask;

export type WorkerReply = Reply<ClassifiedBatch | undefined>;
