import type { Prediction } from '../../../src/domain/types.js';
import { shuffled } from '../../../train/lib/random.js';

/** Positions of its texts; a single request has one. */
export interface MixedRequest {
  readonly kind: 'single' | 'batch';
  readonly texts: readonly number[];
}

const LARGEST_BATCH = 16;
/** Every so-many-th text is made of several, or all would be of a length. */
const LONG_EVERY = 5;
const LONGEST = 12;

/** Texts of all lengths out of short ones, no two alike. */
export function chooseTexts(reviews: readonly string[], count: number, random: () => number): string[] {
  const waiting = shuffled([...new Set(reviews)], random);
  return Array.from({ length: count }, (_, at) => {
    const parts = at % LONG_EVERY === 0 ? 2 + Math.floor(random() * (LONGEST - 1)) : 1;
    const text = waiting.splice(0, parts).join(' ');
    if (text === '') throw new Error(`Expected reviews enough for ${count} texts but received ${reviews.length}`);
    return text;
  });
}

/** Every other request is a batch of 2 to 16. */
export function planRequests(count: number, texts: number, random: () => number): MixedRequest[] {
  const draw = (): number => Math.floor(random() * texts);
  return Array.from({ length: count }, (_, at) => {
    if (at % 2 === 0) return { kind: 'single', texts: [draw()] };
    return { kind: 'batch', texts: Array.from({ length: 2 + Math.floor(random() * (LARGEST_BATCH - 1)) }, draw) };
  });
}

export function bodyOf({ kind, texts }: MixedRequest, all: readonly string[]): object {
  const chosen = texts.map((at) => all[at]!);
  return kind === 'single' ? { text: chosen[0] } : { texts: chosen };
}

/** The predictions of an answer, in the order of the request's texts. */
export function predictionsOf({ kind }: Pick<MixedRequest, 'kind'>, body: string): Prediction[] {
  const json = JSON.parse(body) as Prediction & { predictions: Prediction[] };
  return kind === 'single' ? [json] : json.predictions;
}

/** How far answers are from those the same texts get alone. */
export class Comparison {
  answers = 0;
  otherLabels = 0;
  largestDifference = 0;

  add(answers: readonly Prediction[], alone: readonly Prediction[]): void {
    if (answers.length !== alone.length) {
      throw new Error(`Expected ${alone.length} predictions but received ${answers.length}`);
    }
    answers.forEach(({ label, confidence }, at) => {
      this.answers++;
      if (label !== alone[at]!.label) this.otherLabels++;
      const difference = Math.abs(confidence - alone[at]!.confidence);
      // A confidence that is no number is as wrong as can be.
      this.largestDifference = Math.max(this.largestDifference, Number.isFinite(difference) ? difference : 1);
    });
  }
}
