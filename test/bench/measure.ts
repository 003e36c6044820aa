import type { Prediction } from '../../src/domain/types.js';
import type { Layer } from './layers.js';
import { type Figures, figuresOf } from './statistics.js';
import type { Workload } from './workloads.js';

export interface Cell extends Figures {
  readonly workload: string;
  readonly layer: string;
  /** Requests sent while it was measured; all of them must have been answered. */
  readonly sent: number;
  /** The first answer that was not as the texts have it alone; undefined when all were. */
  readonly wrong: string | undefined;
}

const WARM_UP_SHARE = 0.2;

/**
 * Sends requests for `seconds`, each of `concurrency` senders its next one when the last is answered, and looks at every
 * answer. Requests sent before the warm-up ends (a fifth of the time more) are not counted.
 *
 * @param expected what each text of the workload gets alone
 */
export async function measure(
  layer: Layer,
  workload: Workload,
  seconds: number,
  expected: readonly Prediction[],
  tolerance: number,
): Promise<Cell> {
  const { concurrency } = workload;
  const together = layer.synchronous ? concurrency : 1;
  const texts = repeat(workload.texts, together);
  const answer = await layer.prepare({ ...workload, texts });
  const wanted = repeat(expected, together);
  const latencies: number[] = [];
  let [sent, wrong] = [0, undefined as string | undefined];
  const sendUntil = async (end: number, counted: boolean): Promise<void> => {
    for (let start = performance.now(); start < end; start = performance.now()) {
      if (counted) sent++;
      const answers = await answer();
      if (counted) latencies.push(performance.now() - start);
      wrong ??= difference(answers, wanted, tolerance);
    }
  };
  const senders = async (forSeconds: number, counted: boolean): Promise<void> => {
    const end = performance.now() + forSeconds * 1000;
    await Promise.all(Array.from({ length: concurrency / together }, () => sendUntil(end, counted)));
  };
  await senders(WARM_UP_SHARE * seconds, false);
  const start = performance.now();
  await senders(seconds, true);
  const figures = figuresOf(latencies, texts.length, performance.now() - start);
  return { workload: workload.name, layer: layer.name, ...figures, sent, wrong };
}

/** What the first wrong answer says and should say; undefined when all have the label, and the confidence within `tolerance`. */
export function difference(
  answers: readonly Prediction[],
  expected: readonly Prediction[],
  tolerance: number,
): string | undefined {
  if (answers.length !== expected.length) return `${answers.length} answers to ${expected.length} texts`;
  const at = answers.findIndex(({ label, confidence }, row) => {
    const alone = expected[row]!;
    // Written so that NaN is a difference.
    return !(label === alone.label && Math.abs(confidence - alone.confidence) <= tolerance);
  });
  const show = (one: Prediction): string => `${one.label} ${one.confidence}`;
  return at < 0 ? undefined : `text ${at} got ${show(answers[at]!)} but alone ${show(expected[at]!)}`;
}

function repeat<T>(items: readonly T[], times: number): T[] {
  return Array.from({ length: times }, () => items).flat();
}
