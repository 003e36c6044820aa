/** The words everything else speaks: no imports, no behaviour. */

/** `cpu`, or `cuda:N` with N the index of the GPU. */
export type Device = 'cpu' | `cuda:${number}`;

/** int8 is the dtype of linear layers; what is between them computes in float32. */
export type Dtype = 'float32' | 'bfloat16' | 'float16' | 'int8';

/** Where a model's weights live and in which number format it computes. Always explicit below `native/placement.ts`. */
export interface Placement {
  readonly device: Device;
  readonly dtype: Dtype;
}

/** One classified text. `confidence` is the softmax probability of `label`, 0 to 1. */
export interface Prediction {
  readonly label: string;
  readonly confidence: number;
}

/** A {@link Prediction} with what the answer must say about it but not show in its body. */
export interface TextResult extends Prediction {
  /** The text had more tokens than the model's max_length; the rest was cut off. */
  readonly truncated: boolean;
}

/** One product near another. `score` is the cosine of their embeddings, -1 to 1. */
export interface Neighbor {
  readonly id: string;
  readonly score: number;
}

/** Most characters of a product's id, in catalogues and in requests alike. */
export const LONGEST_PRODUCT_ID = 256;

export interface Product {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
}

/** One worker task's answer, rows in the order of its texts. */
export interface ClassifiedBatch {
  readonly results: readonly TextResult[];
  /** Tokens computed, [CLS] and [SEP] included. */
  readonly tokens: number;
  /** Intra-op threads of the forward. */
  readonly threads: number;
  /** How long the forward took, in milliseconds. */
  readonly forwardMs: number;
}

/** What the services ask of inference; the pool is the one that runs. */
export interface InferenceEngine {
  /** Worker threads that can each run one batch at a time. */
  readonly workers: number;
  /** Classifies texts in one worker task; results keep the order of `texts`. A task is never interrupted. */
  classify(texts: readonly string[]): Promise<ClassifiedBatch>;
}

/** A point to be stored: a product and its unit-length embedding. */
export interface EmbeddedProduct {
  readonly product: Product;
  /** [dim], L2 norm 1 ± 1e-5. */
  readonly vector: Float32Array;
}
