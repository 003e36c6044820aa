import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DistilserveError, messageOf } from '../domain/errors.js';
import type { Architecture, TensorSource } from '../native/types.js';
import { sha256File } from './files.js';
import { FieldReader, parseObject } from './model-config.js';
import { readSafetensorsHeader } from './safetensors.js';

/** A Hugging Face folder read as DistilBERT: what the addon needs to build the model. */
export interface HuggingFaceModel {
  /** `numLabels` is 0; whoever trains sets it. */
  readonly architecture: Architecture;
  /** The encoder's tensors under DistilBERT's names; a head in the checkpoint is left out. */
  readonly weights: TensorSource[];
  readonly weightsSha256: string;
  readonly tokenizerJson: string;
  /** sentence-transformers' limit, else the position table's length. */
  readonly maxLength: number;
}

/**
 * Reads config.json, model.safetensors and tokenizer.json of a DistilBERT, or of a BERT, which becomes a DistilBERT by
 * adding its token type 0 embedding to the position embeddings: exact for single texts.
 *
 * @throws DistilserveError model_missing, model_invalid
 */
export async function readHuggingFace(dir: string): Promise<HuggingFaceModel> {
  const configFile = join(dir, 'config.json');
  const json = parseObject(await readText(configFile), configFile);
  const family = json.model_type;
  if (family !== 'distilbert' && family !== 'bert') {
    throw new DistilserveError(
      'model_invalid',
      `Expected model_type distilbert or bert in ${configFile} but received ${JSON.stringify(family)}; other families are not supported`,
    );
  }
  const read = new FieldReader(json, configFile);
  const architecture = family === 'bert' ? bertArchitecture(read) : distilbertArchitecture(read);
  const weightsFile = join(dir, 'model.safetensors');
  await readable(weightsFile);
  const rename = family === 'bert' ? bertName : distilbertName;
  const weights = (await readSafetensorsHeader(weightsFile)).flatMap((tensor) => {
    const name = rename(tensor.name);
    return name === undefined ? [] : [{ ...tensor, name }];
  });
  return {
    architecture,
    weights,
    weightsSha256: await sha256File(weightsFile),
    tokenizerJson: await readText(join(dir, 'tokenizer.json')),
    maxLength: Math.min(await sentenceLimit(dir), architecture.maxPositionEmbeddings),
  };
}

function bertArchitecture(read: FieldReader): Architecture {
  const dropout = read.number('hidden_dropout_prob', 0.1);
  return {
    nLayers: read.number('num_hidden_layers'),
    dim: read.number('hidden_size'),
    nHeads: read.number('num_attention_heads'),
    hiddenDim: read.number('intermediate_size'),
    vocabSize: read.number('vocab_size'),
    maxPositionEmbeddings: read.number('max_position_embeddings'),
    padTokenId: read.number('pad_token_id', 0),
    numLabels: 0,
    dropout,
    attentionDropout: read.number('attention_probs_dropout_prob', 0.1),
    // BERT has no such field; DistilBERT's head comes with its own default.
    seqClassifDropout: 0.2,
    layerNormEps: read.number('layer_norm_eps', 1e-12),
    activation: activation(read.string('hidden_act', 'gelu')),
  };
}

function distilbertArchitecture(read: FieldReader): Architecture {
  return {
    nLayers: read.number('n_layers'),
    dim: read.number('dim'),
    nHeads: read.number('n_heads'),
    hiddenDim: read.number('hidden_dim'),
    vocabSize: read.number('vocab_size'),
    maxPositionEmbeddings: read.number('max_position_embeddings'),
    padTokenId: read.number('pad_token_id', 0),
    numLabels: 0,
    dropout: read.number('dropout', 0.1),
    attentionDropout: read.number('attention_dropout', 0.1),
    seqClassifDropout: read.number('seq_classif_dropout', 0.2),
    // DistilBERT's code has 1e-12 written in; our own exports keep a BERT's value.
    layerNormEps: read.number('layer_norm_eps', 1e-12),
    activation: activation(read.string('activation', 'gelu')),
  };
}

function activation(name: string): 'gelu' | 'relu' {
  if (name === 'gelu' || name === 'relu') return name;
  throw new DistilserveError('model_invalid', `Expected activation gelu or relu but config.json says ${name}`);
}

const BERT_LAYER: Record<string, string> = {
  'attention.self.query': 'attention.q_lin',
  'attention.self.key': 'attention.k_lin',
  'attention.self.value': 'attention.v_lin',
  'attention.output.dense': 'attention.out_lin',
  'attention.output.LayerNorm': 'sa_layer_norm',
  'intermediate.dense': 'ffn.lin1',
  'output.dense': 'ffn.lin2',
  'output.LayerNorm': 'output_layer_norm',
};

/** DistilBERT's name of a BERT tensor; undefined for those that play no part (pooler, heads, position ids). */
function bertName(name: string): string | undefined {
  const bare = name.replace(/^bert\./, '');
  if (bare === 'embeddings.token_type_embeddings.weight') return 'token_type_embeddings';
  if (/^embeddings\.(word_embeddings|position_embeddings|LayerNorm)\.(weight|bias)$/.test(bare)) {
    return `distilbert.${bare}`;
  }
  const layer = /^encoder\.layer\.(\d+)\.(.+)\.(weight|bias)$/.exec(bare);
  const part = layer && BERT_LAYER[layer[2] ?? ''];
  return part ? `distilbert.transformer.layer.${layer[1]}.${part}.${layer[3]}` : undefined;
}

function distilbertName(name: string): string | undefined {
  const bare = name.replace(/^distilbert\./, '');
  return /^(embeddings|transformer)\..+\.(weight|bias)$/.test(bare) ? `distilbert.${bare}` : undefined;
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new DistilserveError('model_missing', `Expected ${file} in the Hugging Face folder: ${messageOf(error)}`);
  });
}

async function readable(file: string): Promise<void> {
  await access(file).catch((error: unknown) => {
    throw new DistilserveError(
      'model_missing',
      `Expected weights in ${file}: ${messageOf(error)}; pickled weights are not read, convert them with Hugging Face's save_pretrained(safe_serialization=True)`,
    );
  });
}

async function sentenceLimit(dir: string): Promise<number> {
  const file = join(dir, 'sentence_bert_config.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const limit = text === undefined ? undefined : parseObject(text, file).max_seq_length;
  return typeof limit === 'number' ? limit : Number.POSITIVE_INFINITY;
}
