import { DistilserveError } from '../domain/errors.js';
import type { Architecture } from '../native/types.js';

/** config.json of a model directory: Hugging Face's words where it has them. */
export interface ModelConfig {
  readonly kind: 'classifier' | 'encoder';
  readonly architecture: Architecture;
  /** Class names by index; empty for an encoder. */
  readonly labels: readonly string[];
  /** Most tokens a text is cut to, [CLS] and [SEP] included. */
  readonly maxLength: number;
  /** Logits are divided by it before the softmax. */
  readonly temperature: number;
  readonly baseModel: { readonly id: string; readonly sha256: string };
}

type Json = Record<string, unknown>;

/** config.json's content for a {@link ModelConfig}. */
export function toConfigJson(config: ModelConfig): Json {
  const a = config.architecture;
  return {
    model_type: 'distilbert',
    architectures: [config.kind === 'classifier' ? 'DistilBertForSequenceClassification' : 'DistilBertModel'],
    n_layers: a.nLayers,
    dim: a.dim,
    n_heads: a.nHeads,
    hidden_dim: a.hiddenDim,
    vocab_size: a.vocabSize,
    max_position_embeddings: a.maxPositionEmbeddings,
    pad_token_id: a.padTokenId,
    dropout: a.dropout,
    attention_dropout: a.attentionDropout,
    seq_classif_dropout: a.seqClassifDropout,
    layer_norm_eps: a.layerNormEps,
    activation: a.activation,
    ...(config.kind === 'classifier' && {
      id2label: Object.fromEntries(config.labels.map((label, index) => [String(index), label])),
      label2id: Object.fromEntries(config.labels.map((label, index) => [label, index])),
      problem_type: 'single_label_classification',
    }),
    max_length: config.maxLength,
    temperature: config.temperature,
    base_model: config.baseModel,
  };
}

/**
 * Reads and checks config.json.
 *
 * @throws DistilserveError model_invalid naming the field
 */
export function parseConfigJson(text: string, file: string): ModelConfig {
  const json = parseObject(text, file);
  const read = new FieldReader(json, file);
  const labels = json.id2label === undefined ? [] : readLabels(json, file);
  const kind = labels.length > 0 ? 'classifier' : 'encoder';
  const activation = read.string('activation');
  if (activation !== 'gelu' && activation !== 'relu') {
    throw invalid(file, `activation to be gelu or relu but received ${activation}`);
  }
  const maxLength = read.number('max_length');
  if (!Number.isInteger(maxLength) || maxLength < 1) {
    throw invalid(file, `max_length to be an integer of at least 1 but received ${maxLength}`);
  }
  const temperature = read.number('temperature');
  if (temperature <= 0) throw invalid(file, `temperature to be above 0 but received ${temperature}`);
  const base = json.base_model as { id?: unknown; sha256?: unknown } | undefined;
  return {
    kind,
    architecture: {
      nLayers: read.number('n_layers'),
      dim: read.number('dim'),
      nHeads: read.number('n_heads'),
      hiddenDim: read.number('hidden_dim'),
      vocabSize: read.number('vocab_size'),
      maxPositionEmbeddings: read.number('max_position_embeddings'),
      padTokenId: read.number('pad_token_id'),
      numLabels: labels.length,
      dropout: read.number('dropout'),
      attentionDropout: read.number('attention_dropout'),
      seqClassifDropout: read.number('seq_classif_dropout'),
      layerNormEps: read.number('layer_norm_eps'),
      activation,
    },
    labels,
    maxLength,
    temperature,
    baseModel: { id: String(base?.id ?? 'unknown'), sha256: String(base?.sha256 ?? '') },
  };
}

/**
 * A base's tokenizer.json with the model's own limit in place of what it says: other programs pad and cut as it tells
 * them, and the default base's tells them to pad every text to 128 tokens.
 *
 * @throws DistilserveError model_invalid
 */
export function toTokenizerJson(text: string, maxLength: number): string {
  const truncation = { direction: 'Right', max_length: maxLength, strategy: 'LongestFirst', stride: 0 };
  return `${JSON.stringify({ ...parseObject(text, 'tokenizer.json'), truncation, padding: null })}\n`;
}

/** Parses a file's JSON object or says what is wrong with it. */
export function parseObject(text: string, file: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DistilserveError('model_invalid', `Expected JSON in ${file} but it does not parse`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(file, 'a JSON object at the top');
  }
  return value as Json;
}

/** Class names in the order of their ids, which must run from 0 without a gap. */
function readLabels(json: Json, file: string): string[] {
  const map = json.id2label;
  if (typeof map !== 'object' || map === null) throw invalid(file, 'id2label to be an object');
  const labels: string[] = [];
  const entries = Object.entries(map as Json);
  for (let id = 0; id < entries.length; id++) {
    const label = (map as Json)[String(id)];
    if (typeof label !== 'string') throw invalid(file, `id2label to name every id from 0 to ${entries.length - 1}`);
    labels.push(label);
  }
  if (new Set(labels).size !== labels.length) throw invalid(file, 'every label in id2label to be different');
  return labels;
}

export class FieldReader {
  constructor(
    private readonly json: Json,
    private readonly file: string,
  ) {}

  number(field: string, fallback?: number): number {
    const value = this.json[field] ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(this.file, `${field} to be a number`);
    return value;
  }

  string(field: string, fallback?: string): string {
    const value = this.json[field] ?? fallback;
    if (typeof value !== 'string') throw invalid(this.file, `${field} to be a string`);
    return value;
  }
}

function invalid(file: string, expected: string): DistilserveError {
  return new DistilserveError('model_invalid', `Expected in ${file} ${expected}`);
}
