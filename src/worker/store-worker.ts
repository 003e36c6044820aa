import Piscina from 'piscina';
import { encodeStoreFile, publishFile } from '../store/store-file.js';
import { StoreReader } from '../store/store-reader.js';
import { type Reply, reply } from './reply.js';
import type { StoreTask, StoreWorkerData } from './store-protocol.js';

const { path, encoderDigest } = Piscina.workerData as StoreWorkerData;
const reader = new StoreReader(path, encoderDigest);

export default function run(task: StoreTask): Promise<Reply<unknown>> {
  return reply(() => perform(task));
}

function perform(task: StoreTask): unknown {
  switch (task.kind) {
    case 'neighbors':
      return reader.neighbors(task.productId, task.k);
    case 'count':
      return reader.count;
    case 'replace':
      return publishFile(path, encodeStoreFile(task.points, task.encoderDigest));
  }
}
