/**
 * The whole face of the addon. A batch crosses as ragged ids: `ids` holds every token one after another, and row `i`
 * is `ids[offsets[i]]` up to `offsets[i + 1]`; `offsets` has rows + 1 entries from 0 to `ids.length`.
 * Every call throws {@link NativeError}; its `code` is one of domain/errors.ts.
 */
import type { Device, Dtype } from '../domain/types.js';

export interface NativeError extends Error {
  code: string;
}

/** DistilBERT's shape, as config.json has it. */
export interface Architecture {
  nLayers: number;
  dim: number;
  nHeads: number;
  hiddenDim: number;
  vocabSize: number;
  maxPositionEmbeddings: number;
  padTokenId: number;
  /** 0: an encoder without classification head. */
  numLabels: number;
  dropout: number;
  attentionDropout: number;
  seqClassifDropout: number;
  layerNormEps: number;
  activation: 'gelu' | 'relu';
}

/** One tensor of a safetensors file; `begin` and `end` are bytes from the start of the file. */
export interface TensorSource {
  /** The parameter it fills, or `token_type_embeddings`, whose row 0 is added to the position embeddings. */
  name: string;
  file: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

/** A TorchScript model for inference. Instances of one file at one placement share one copy of the weights. */
export interface ScriptModule {
  /** Logits [rows, labels]. */
  logits(ids: Int32Array, offsets: Int32Array, threads: number): Float32Array;
  /** softmax(logits / temperature) over the labels, [rows, labels]. */
  classify(ids: Int32Array, offsets: Int32Array, temperature: number, threads: number): Float32Array;
  /** Mean-pooled, L2-normalised embeddings [rows, dim]. */
  embed(ids: Int32Array, offsets: Int32Array, threads: number): Float32Array;
  /** What the embedding tables hold; -1 where the TorchScript does not say. */
  readonly limits: { vocabSize: number; maxLength: number };
  /** What runs it: kernels of {@link NativeAddon.listKernels}, or `portable` for the TorchScript as it is. */
  readonly kernels: string;
  /** Frees this instance's hold on the weights; every later call throws `disposed`. */
  dispose(): void;
}

export interface TrainerOptions {
  architecture: Architecture;
  weights: TensorSource[];
  /** Seeds the new head and the dropout. */
  seed: number;
  weightDecay: number;
  /** Gradients are scaled down to this L2 norm; 0 leaves them as they are. */
  maxGradNorm: number;
  threads: number;
  /** On the CPU: `auto`, or one of {@link NativeAddon.listKernels}; `aten` trains by libtorch's autograd, as a GPU does. */
  kernels: string;
  device: Device;
  dtype: Dtype;
}

export interface StepResult {
  /** Mean cross-entropy of the batch before the update, in nats. */
  loss: number;
  /** L2 norm of all gradients before clipping. */
  gradNorm: number;
  /** Loss or gradient was not finite, and nothing was updated. */
  skipped: boolean;
}

/** Fine-tunes a classifier: AdamW, cross-entropy over logits, dropout on in `step` and off everywhere else. */
export interface Trainer {
  /** Forward, loss, backward, clipping and update of one batch. `labels`: [rows], 0 to numLabels - 1. */
  step(ids: Int32Array, offsets: Int32Array, labels: Int32Array, learningRate: number): StepResult;
  /** Logits [rows, numLabels] of the weights as they are. */
  logits(ids: Int32Array, offsets: Int32Array): Float32Array;
  /** Writes TorchScript, which Python's `torch.jit.load` opens too. */
  save(path: string): void;
  dispose(): void;
}

/** Exact nearest neighbours by cosine. */
export interface VectorIndex {
  /** The `k` rows with the highest cosine, falling; of equal ones the lower row. `query`: [dim], unit length. */
  search(query: Float32Array, k: number): { rows: Int32Array; scores: Float32Array };
  /** A copy of one row, [dim]. */
  vector(row: number): Float32Array;
  dispose(): void;
}

/** What of a BERT's text is changed before it is cut into words, as Hugging Face's BertNormalizer has it. */
export interface NormalizerOptions {
  cleanText: boolean;
  handleChineseChars: boolean;
  stripAccents: boolean;
  lowercase: boolean;
}

export interface WordPieceOptions extends NormalizerOptions {
  /** The vocabulary, no token twice. */
  tokens: readonly string[];
  /** [tokens] */
  ids: Int32Array;
  unkId: number;
  clsId: number;
  sepId: number;
  continuingSubwordPrefix: string;
  /** A word of more characters is one unknown token. */
  maxInputCharsPerWord: number;
  /** Looked for in the text before it is cut into words; of several that begin at one place the longest. */
  addedTokens: readonly {
    content: string;
    id: number;
    /** Its normalized form is looked for in the normalized text. */
    normalized: boolean;
  }[];
}

/** BERT's tokenizer: the ids that Hugging Face's core gives. */
export interface WordPiece {
  /**
   * Ids of each text, [CLS] and [SEP] around them, cut on the right to `maxLength` (at least 2, those two included).
   * Of a long text no more is read than its ids depend on.
   */
  encode(texts: readonly string[], maxLength: number): { ids: Int32Array; offsets: Int32Array; truncated: boolean[] };
  dispose(): void;
}

export interface DeviceInfo {
  device: Device;
  name: string;
  dtypes: Dtype[];
}

export interface NativeAddon {
  /**
   * With `serving`, a DistilBERT of that architecture runs on the CPU through packed rows and kernels of our own: `auto`,
   * or one of {@link NativeAddon.listKernels} for the dtype. Anything else runs as the TorchScript stands; in int8, where
   * there is no such way, it is refused.
   */
  ScriptModule: new (
    path: string,
    device: Device,
    dtype: Dtype,
    serving?: { architecture: Architecture; kernels: string },
  ) => ScriptModule;
  Trainer: new (options: TrainerOptions) => Trainer;
  /** `vectors`: [rows, dim], each of L2 norm 1 ± 1e-5; copied. */
  VectorIndex: new (
    vectors: Float32Array,
    dim: number,
  ) => VectorIndex;
  WordPiece: new (options: WordPieceOptions) => WordPiece;
  /** Text as WordPiece sees it. */
  normalizeBert(text: string, options: NormalizerOptions): string;
  /** Builds the architecture with the given weights (a head without weights is drawn by `seed`) and writes TorchScript. */
  writeModel(architecture: Architecture, weights: TensorSource[], seed: number, path: string): void;
  listDevices(): DeviceInfo[];
  /**
   * Of a dtype of the CPU, float32 unless given; best first. For float32 `aten` is last and always there. `whyNot` is empty
   * where they are usable.
   */
  listKernels(dtype?: Dtype): { name: string; whyNot: string }[];
  /**
   * How far `activation(a w^T + bias)` of a kernel set is from float64 ATen, over random a [rows, k] and w [n, k], as a
   * share of the sum of magnitudes. With a narrower dtype, how far it is from ATen's exact product of the values that ATen
   * converted.
   */
  gemmDifference(
    kernels: string,
    rows: number,
    n: number,
    k: number,
    activation: 'none' | 'gelu' | 'relu',
    dtype?: Dtype,
  ): number;
  versions(): { libtorch: string };
}
