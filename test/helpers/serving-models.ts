/** DistilBERTs with random weights, and their answers through the serving program or without it. */
import { join } from 'node:path';
import { expect } from 'chai';
import type { Dtype } from '../../src/domain/types.js';
import { addon } from '../../src/native/addon.js';
import type { Architecture, ScriptModule } from '../../src/native/types.js';
import { randomNumbers } from '../../train/lib/random.js';
import { useSuiteDir } from './fixtures.js';
import { writeRandomModel } from './random-model.js';
import { ragged } from './tensors.js';

const COMMON = { padTokenId: 0, dropout: 0.1, attentionDropout: 0.1, seqClassifDropout: 0.2, layerNormEps: 1e-12 };
/** Sizes that fit no vector, no panel and no pass; the others are as people have them. */
export const ARCHITECTURES: Record<string, Architecture> = {
  odd: {
    ...COMMON,
    nLayers: 2,
    dim: 21,
    nHeads: 3,
    hiddenDim: 50,
    vocabSize: 97,
    maxPositionEmbeddings: 130,
    numLabels: 3,
    activation: 'gelu',
  },
  relu: {
    ...COMMON,
    nLayers: 1,
    dim: 96,
    nHeads: 2,
    hiddenDim: 40,
    vocabSize: 50,
    maxPositionEmbeddings: 70,
    numLabels: 1,
    activation: 'relu',
    layerNormEps: 1e-5,
  },
  deep: {
    ...COMMON,
    nLayers: 3,
    dim: 64,
    nHeads: 2,
    hiddenDim: 1600,
    vocabSize: 300,
    maxPositionEmbeddings: 200,
    numLabels: 2,
    activation: 'gelu',
  },
  encoder: {
    ...COMMON,
    nLayers: 2,
    dim: 64,
    nHeads: 4,
    hiddenDim: 128,
    vocabSize: 300,
    maxPositionEmbeddings: 200,
    numLabels: 0,
    activation: 'gelu',
  },
};

export function randomRows(
  seed: number,
  count: number,
  { vocabSize, maxPositionEmbeddings }: Architecture,
): number[][] {
  const random = randomNumbers(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  return Array.from({ length: count }, (_, row) => {
    const length = row === 0 ? maxPositionEmbeddings : 1 + upTo(row % 4 === 0 ? maxPositionEmbeddings : 20);
    return Array.from({ length }, () => upTo(vocabSize));
  });
}

export function answer(
  model: ScriptModule,
  architecture: Architecture,
  rows: readonly (readonly number[])[],
  threads: number,
) {
  const { ids, offsets } = ragged(rows);
  return architecture.numLabels > 0 ? model.logits(ids, offsets, threads) : model.embed(ids, offsets, threads);
}

export interface Serving {
  readonly architecture: Architecture;
  readonly kernels: string;
}

/** Writes models by their names above and opens them; closed after the suite. */
export function useServingModels(): {
  pathOf: (name: string) => Promise<string>;
  load: (path: string, serving?: Serving, dtype?: Dtype) => ScriptModule;
} {
  const suite = useSuiteDir();
  const open: ScriptModule[] = [];
  after(() => {
    for (const model of open) model.dispose();
  });
  return {
    async pathOf(name) {
      const path = join(suite.dir, `${name}.pt`);
      await writeRandomModel(path, ARCHITECTURES[name]!, 5);
      return path;
    },
    load(path, serving, dtype = 'float32') {
      const model = new (addon().ScriptModule)(path, 'cpu', dtype, serving);
      open.push(model);
      return model;
    },
  };
}

/** Whether texts get the same bits alone and in any batch, on any number of threads. */
export function expectSameBitsInAnyBatch(model: ScriptModule, architecture: Architecture, batches: number): void {
  const rows = randomRows(2, 60, architecture);
  const alone = rows.map((row) => answer(model, architecture, [row], 1));
  const random = randomNumbers(3);
  for (let batch = 0; batch < batches; batch++) {
    const chosen = Array.from({ length: 1 + Math.floor(random() * 40) }, () => Math.floor(random() * rows.length));
    const texts = chosen.map((row) => rows[row]!);
    const together = answer(model, architecture, texts, 1 + (batch % 3));
    const expected = Float32Array.from(chosen.flatMap((row) => [...alone[row]!]));
    expect(Buffer.from(together.buffer).equals(Buffer.from(expected.buffer)), `batch ${batch}`).to.equal(true);
  }
}
