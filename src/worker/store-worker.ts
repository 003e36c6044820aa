import Piscina from 'piscina';
import { DistilserveError } from '../domain/errors.js';
import { encodeStoreFile, publishFile } from '../store/store-file.js';
import { StoreReader } from '../store/store-reader.js';
import { type StoreReply, type StoreTask, type StoreWorkerData, toFailure } from './store-protocol.js';

const { path, encoderDigest } = Piscina.workerData as StoreWorkerData;
const reader = new StoreReader(path, encoderDigest);

export default async function run(task: StoreTask): Promise<StoreReply> {
  try {
    return { ok: true, value: await perform(task) };
  } catch (error) {
    if (!(error instanceof DistilserveError)) throw error;
    return { ok: false, error: toFailure(error) };
  }
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
