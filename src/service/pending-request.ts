import type { TextResult } from '../domain/types.js';

/** One text on its way through a batch. */
export interface Item {
  readonly request: PendingRequest;
  readonly position: number;
  readonly text: string;
}

/** One request's texts: `next` and after wait, those before run or are done. */
export class PendingRequest {
  waitingTokens: number;
  /** Of all its texts in UTF-8. */
  readonly bytes: number;
  readonly #texts: readonly string[];
  readonly #tokens: readonly number[];
  readonly #results: TextResult[];
  readonly #resolve: (results: TextResult[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onSettled: () => void;
  #next = 0;
  #missing: number;

  constructor(
    texts: readonly string[],
    bytes: number,
    tokens: readonly number[],
    resolve: (results: TextResult[]) => void,
    reject: (error: unknown) => void,
    onSettled: () => void,
  ) {
    this.#texts = texts;
    this.bytes = bytes;
    this.#tokens = tokens;
    this.#results = new Array<TextResult>(texts.length);
    this.#missing = texts.length;
    this.waitingTokens = tokens.reduce((sum, count) => sum + count, 0);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#onSettled = onSettled;
  }

  get waitingTexts(): number {
    return this.#texts.length - this.#next;
  }

  get nextTokens(): number {
    return this.#tokens[this.#next]!;
  }

  takeNext(): Item {
    const position = this.#next++;
    this.waitingTokens -= this.#tokens[position]!;
    return { request: this, position, text: this.#texts[position]! };
  }

  accept(position: number, result: TextResult): void {
    this.#results[position] = result;
    this.#missing -= 1;
    if (this.#missing > 0) return;
    this.#onSettled();
    this.#resolve(this.#results);
  }

  fail(error: unknown): void {
    this.#onSettled();
    this.#reject(error);
  }
}
