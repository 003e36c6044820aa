import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { readHuggingFace } from '../../src/model/hugging-face.js';
import type { ModelConfig } from '../../src/model/model-config.js';
import { saveModelDir } from '../../src/model/model-save.js';
import { readSafetensorsHeader } from '../../src/model/safetensors.js';
import { addon } from '../../src/native/addon.js';
import type { Architecture, ScriptModule, TensorSource, TrainerOptions } from '../../src/native/types.js';
import { fixture } from './fixtures.js';

export const TINY_LABELS = ['negative', 'neutral', 'positive'];

export interface TinyModel {
  readonly architecture: Architecture;
  /** The recorded head included, which a reader of pre-trained weights leaves out. */
  readonly weights: TensorSource[];
}

/** The recorded DistilBertForSequenceClassification: 2 layers x 32, 3 labels. */
export async function tinyDistilBert(): Promise<TinyModel> {
  const dir = fixture('distilbert-tiny');
  const { architecture } = await readHuggingFace(dir);
  return {
    architecture: { ...architecture, numLabels: TINY_LABELS.length },
    weights: await readSafetensorsHeader(`${dir}/model.safetensors`),
  };
}

/** Writes it as TorchScript. */
export async function writeTinyDistilBert(path: string): Promise<void> {
  const { architecture, weights } = await tinyDistilBert();
  addon().writeModel(architecture, weights, 0, path);
}

/** Saves it as a model directory, with other weights for another `seed`; returns the digest. */
export async function saveTinyClassifier(
  path: string,
  {
    seed,
    config = {},
    extra = {},
  }: { seed?: number; config?: Partial<ModelConfig>; extra?: Record<string, string> } = {},
): Promise<string> {
  const { architecture, weights } = await tinyDistilBert();
  // A seed draws a new head, small as Hugging Face's are.
  const used = seed === undefined ? weights : weights.filter(({ name }) => name.startsWith('distilbert.'));
  return saveModelDir(path, {
    config: {
      kind: 'classifier',
      architecture,
      labels: TINY_LABELS,
      maxLength: 64,
      temperature: 1,
      baseModel: { id: 'distilbert-tiny', sha256: '' },
      ...config,
    },
    writeWeights: (file) => addon().writeModel(architecture, used, seed ?? 0, file),
    tokenizerJson: await readFile(`${fixture('distilbert-tiny')}/tokenizer.json`, 'utf8'),
    extra,
  });
}

/** The kernels that this CPU can run, `aten` included. */
export function usableKernels(): string[] {
  return addon()
    .listKernels()
    .filter(({ whyNot }) => whyNot === '')
    .map(({ name }) => name);
}

export function openOnCpu(path: string): ScriptModule {
  return new (addon().ScriptModule)(path, 'cpu', 'float32');
}

/** A Trainer's options with dropout off, so that a step's loss is that of its logits. */
export function trainerOptions(tiny: TinyModel, changes: Partial<TrainerOptions> = {}): TrainerOptions {
  return {
    architecture: { ...tiny.architecture, dropout: 0, attentionDropout: 0, seqClassifDropout: 0 },
    weights: tiny.weights,
    seed: 1,
    weightDecay: 0.01,
    maxGradNorm: 1,
    threads: 1,
    kernels: 'auto',
    device: 'cpu',
    dtype: 'float32',
    ...changes,
  };
}

/** The message of what `call` throws, which must carry `code`. */
export function thrown(call: () => unknown, code: string): string {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    expect((error as { code?: unknown }).code, String(error)).to.equal(code);
    return (error as Error).message;
  }
  return expect.fail(`Expected an error with code ${code} but received ${value}`);
}
