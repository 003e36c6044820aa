import { readSafetensorsHeader } from '../../src/model/safetensors.js';
import { addon } from '../../src/native/addon.js';
import type { Architecture } from '../../src/native/types.js';
import { randomNumbers } from '../../train/lib/random.js';
import { type Tensor, writeTensors } from './tensors.js';

/** A DistilBERT's tensors by Hugging Face's names, with their shapes. */
function shapesOf(a: Architecture): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const linear = (name: string, out: number, inner: number) =>
    shapes.set(`${name}.weight`, [out, inner]).set(`${name}.bias`, [out]);
  const norm = (name: string) => shapes.set(`${name}.weight`, [a.dim]).set(`${name}.bias`, [a.dim]);
  shapes.set('distilbert.embeddings.word_embeddings.weight', [a.vocabSize, a.dim]);
  shapes.set('distilbert.embeddings.position_embeddings.weight', [a.maxPositionEmbeddings, a.dim]);
  norm('distilbert.embeddings.LayerNorm');
  for (let layer = 0; layer < a.nLayers; layer++) {
    const prefix = `distilbert.transformer.layer.${layer}`;
    for (const name of ['q_lin', 'k_lin', 'v_lin', 'out_lin']) linear(`${prefix}.attention.${name}`, a.dim, a.dim);
    linear(`${prefix}.ffn.lin1`, a.hiddenDim, a.dim);
    linear(`${prefix}.ffn.lin2`, a.dim, a.hiddenDim);
    norm(`${prefix}.sa_layer_norm`);
    norm(`${prefix}.output_layer_norm`);
  }
  if (a.numLabels > 0) {
    linear('pre_classifier', a.dim, a.dim);
    linear('classifier', a.numLabels, a.dim);
  }
  return shapes;
}

/** Writes TorchScript of the architecture with random weights, large enough that every part shows in the answer. */
export async function writeRandomModel(path: string, architecture: Architecture, seed: number): Promise<void> {
  const random = randomNumbers(seed);
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of shapesOf(architecture)) {
    const size = shape.reduce((product, side) => product * side, 1);
    const isScale = name.includes('orm.weight');
    const values = Float32Array.from({ length: size }, () => (isScale ? 0.5 + random() : random() - 0.5));
    tensors.set(name, { shape, values });
  }
  const file = `${path}.safetensors`;
  writeTensors(file, tensors);
  addon().writeModel(architecture, await readSafetensorsHeader(file), 0, path);
}
