import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { BusyWorkerData } from './busy-worker.js';

export interface BusyThread {
  readonly worker: Worker;
  /** Resolves when the thread has begun its second call. */
  computing(): Promise<void>;
}

/** Starts a thread that computes without end. */
export function startBusyThread(file: string): BusyThread {
  const calls = new Int32Array(new SharedArrayBuffer(4));
  const workerData: BusyWorkerData = { file, calls };
  const worker = new Worker(new URL('./busy-worker.js', import.meta.url), { workerData });
  return {
    worker,
    computing: async () => {
      while (Atomics.load(calls, 0) < 2) await setTimeout(1);
    },
  };
}
