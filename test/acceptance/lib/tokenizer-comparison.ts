import { performance } from 'node:perf_hooks';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.js';
import { type CoreTokenizer, coreFromFile } from '../../helpers/core-tokenizers.js';

const BATCH = 1000;
/** Most differences that are printed. */
const SHOWN = 5;

/** Both tokenizers, and what came of them so far. */
export class TokenizerComparison {
  lines = 0;
  differences = 0;
  readonly implementation: string;
  readonly #ours: Tokenizer;
  readonly #core: CoreTokenizer;
  #tokens = 0;
  #oursMs = 0;
  #coreMs = 0;

  constructor(path: string, maxLength: number) {
    this.#ours = Tokenizer.load(path, maxLength);
    this.implementation = this.#ours.implementation;
    this.#core = coreFromFile(path, maxLength);
  }

  async run(texts: Iterable<string>, signal: AbortSignal): Promise<void> {
    let batch: string[] = [];
    for (const one of texts) {
      batch.push(one);
      if (batch.length < BATCH) continue;
      signal.throwIfAborted();
      await this.#compare(batch);
      batch = [];
    }
    await this.#compare(batch);
  }

  async #compare(batch: readonly string[]): Promise<void> {
    const started = performance.now();
    const { ids, offsets, truncated } = await this.#ours.encode(batch);
    const between = performance.now();
    const encodings = await Promise.all(batch.map((one) => this.#core.encode(one)));
    const expected = encodings.map((encoding) => encoding.getIds());
    this.#coreMs += performance.now() - between;
    this.#oursMs += between - started;
    for (const [row, one] of batch.entries()) {
      const got = ids.subarray(offsets[row], offsets[row + 1]);
      const wanted = expected[row]!;
      const isCut = encodings[row]!.getOverflowing().length > 0;
      const same = got.length === wanted.length && wanted.every((id, at) => id === got[at]) && truncated[row] === isCut;
      if (!same && ++this.differences <= SHOWN) {
        process.stdout.write(`${JSON.stringify(one)}\n  core ${wanted} ${isCut}\n  ours ${got} ${truncated[row]}\n`);
      }
    }
    this.lines += batch.length;
    this.#tokens += ids.length;
  }

  print(what: string): void {
    const per = (ms: number): string => `${((1000 * ms) / Math.max(1, this.lines)).toFixed(2)} us`;
    const tokens = (this.#tokens / Math.max(1, this.lines)).toFixed(1);
    const seconds = ((this.#oursMs + this.#coreMs) / 1000).toFixed(0);
    process.stdout.write(
      `${what}: ${this.lines} lines compared, ${this.differences} differences, ${tokens} tokens a text; ` +
        `a text takes ${per(this.#oursMs)} (ours), ${per(this.#coreMs)} (core, ${BATCH} at once); ${seconds} s\n`,
    );
  }
}
