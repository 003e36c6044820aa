import { performance } from 'node:perf_hooks';
import { DistilserveError } from '../domain/errors.js';
import type { ClassifiedBatch, Placement } from '../domain/types.js';
import { addon, native } from '../native/addon.js';
import type { ScriptModule } from '../native/types.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import type { ModelDir } from './model-dir.js';

/** A model directory ready to answer on this thread: tokenizer and weights together, checked to belong together. */
export class TextModel {
  private constructor(
    readonly source: ModelDir,
    private readonly tokenizer: Tokenizer,
    private readonly module: ScriptModule,
  ) {}

  /** @throws DistilserveError model_missing, model_invalid, device_unavailable, dtype_unavailable */
  static load(source: ModelDir, placement: Placement): TextModel {
    const { config } = source;
    const tokenizer = Tokenizer.load(source.tokenizerPath, config.maxLength);
    const { device, dtype } = placement;
    const { architecture } = config;
    const module = native(
      () => new (addon().ScriptModule)(source.weightsPath, device, dtype, { architecture, kernels: 'auto' }),
    );
    const { vocabSize, maxLength } = module.limits;
    if (vocabSize >= 0 && tokenizer.vocabSize > vocabSize) {
      throw new DistilserveError(
        'model_invalid',
        `Expected a tokenizer of at most ${vocabSize} ids (the word embeddings of ${source.weightsPath}) but ${source.tokenizerPath} has ${tokenizer.vocabSize}`,
      );
    }
    if (maxLength >= 0 && config.maxLength > maxLength) {
      throw new DistilserveError(
        'model_invalid',
        `Expected max_length of at most ${maxLength} (the position embeddings) but config.json says ${config.maxLength}`,
      );
    }
    return new TextModel(source, tokenizer, module);
  }

  /**
   * Classifies texts in one batch, results in their order.
   *
   * @param threads intra-op threads of the forward
   */
  async classify(texts: readonly string[], threads: number): Promise<ClassifiedBatch> {
    const { config } = this.source;
    if (config.kind !== 'classifier') {
      throw new DistilserveError('invalid_argument', `Expected a classifier but ${this.source.dir} is an encoder`);
    }
    const { ids, offsets, truncated } = await this.tokenizer.encode(texts);
    const tokenized = performance.now();
    const probabilities = native(() => this.module.classify(ids, offsets, config.temperature, threads));
    const width = config.labels.length;
    if (probabilities.length !== texts.length * width) {
      throw new DistilserveError(
        'model_invalid',
        `Expected ${width} logits a text (the labels of config.json) but the weights give ${probabilities.length / texts.length}`,
      );
    }
    if (!probabilities.every(Number.isFinite)) {
      throw new DistilserveError(
        'model_invalid',
        `Expected finite probabilities but the weights of ${this.source.dir} give others: they are damaged, have diverged in training or overflow in this dtype; train again with a lower --lr, or take float32`,
      );
    }
    const results = argmaxRows(probabilities, width).map((best, row) => ({
      label: config.labels[best] as string,
      confidence: probabilities[row * width + best] as number,
      truncated: truncated[row] as boolean,
    }));
    return { results, tokens: ids.length, threads, forwardMs: performance.now() - tokenized };
  }

  /** Unit-length embeddings [texts, dim], one after another. */
  async embed(
    texts: readonly string[],
    threads: number,
  ): Promise<{ vectors: Float32Array; truncated: readonly boolean[] }> {
    const { ids, offsets, truncated } = await this.tokenizer.encode(texts);
    return { vectors: native(() => this.module.embed(ids, offsets, threads)), truncated };
  }

  /** Frees vocabulary and weights; idempotent. */
  close(): void {
    this.tokenizer.close();
    this.module.dispose();
  }
}

/** Index of the largest value of each row of [rows, width]; the first of equal ones. */
export function argmaxRows(values: Float32Array, width: number): number[] {
  return Array.from({ length: values.length / width }, (_, row) => {
    let best = 0;
    for (let index = 1; index < width; index++) {
      if ((values[row * width + index] as number) > (values[row * width + best] as number)) best = index;
    }
    return best;
  });
}
