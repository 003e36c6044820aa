/**
 * `mixed-load.js URL`: sends a running server 1,000 requests, singles and batches, 32 at a time, and compares every answer
 * with the one the same text got alone, with nothing else on its way.
 */
import { DistilserveError, messageOf } from '../../src/domain/errors.js';
import type { Prediction } from '../../src/domain/types.js';
import { randomNumbers } from '../../train/lib/random.js';
import { script } from '../../train/lib/script.js';
import { LoadClient } from '../bench/load-client.js';
import { readReviews } from '../bench/workloads.js';
import {
  bodyOf,
  Comparison,
  chooseTexts,
  type MixedRequest,
  planRequests,
  predictionsOf,
} from './lib/mixed-requests.js';
import { judged, report } from './lib/verdict.js';

const REQUESTS = 1000;
const AT_A_TIME = 32;
const TEXTS = 400;
const TOLERANCE = 1e-5;
const SEED = 42;

await script(async () => {
  const url = process.argv[2];
  if (url === undefined || process.argv.length > 3 || !URL.canParse(url)) {
    throw new DistilserveError('invalid_config', 'Expected the server as the only argument: http://127.0.0.1:8080');
  }
  const client = new LoadClient(new URL(url).origin, AT_A_TIME);
  try {
    const random = randomNumbers(SEED);
    const texts = chooseTexts(readReviews(), TEXTS, random);
    const requests = planRequests(REQUESTS, texts.length, random);
    const alone = await askAlone(client, texts);
    await sendAll(client, requests, texts, alone);
  } finally {
    client.close();
  }
});

async function askAlone(client: LoadClient, texts: readonly string[]): Promise<Prediction[]> {
  const start = performance.now();
  const alone: Prediction[] = [];
  for (const text of texts) {
    const { status, body } = await client.post('/predict', { text });
    if (status !== 200) throw new Error(`Expected status 200 for a single text but received ${status} ${body}`);
    alone.push(...predictionsOf({ kind: 'single' }, body));
  }
  const labels = [...new Set(alone.map(({ label }) => label))].join(', ');
  print(`${texts.length} texts alone in ${since(start).toFixed(1)} s (labels: ${labels})`);
  return alone;
}

async function sendAll(
  client: LoadClient,
  requests: readonly MixedRequest[],
  texts: readonly string[],
  alone: readonly Prediction[],
): Promise<void> {
  const comparison = new Comparison();
  const outcomes = new Map<string, number>();
  const waiting = requests.values();
  const sender = async (): Promise<void> => {
    for (const request of waiting) {
      const outcome = await client
        .post('/predict', bodyOf(request, texts))
        .then(({ status, body }) => {
          if (status !== 200) return `status ${status}`;
          const expected = request.texts.map((at) => alone[at]!);
          comparison.add(predictionsOf(request, body), expected);
          return 'status 200';
        })
        .catch(messageOf);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: AT_A_TIME }, sender));
  const seconds = since(start);
  for (const [outcome, count] of outcomes) print(`${outcome}: ${count}`);
  const { answers, otherLabels, largestDifference } = comparison;
  print(`${(requests.length / seconds).toFixed(1)} requests/s, ${(answers / seconds).toFixed(0)} texts/s`);
  const answered = outcomes.get('status 200') ?? 0;
  const check = `${requests.length} mixed requests, ${AT_A_TIME} at a time`;
  report(judged(answered === requests.length, `${check}: lost`, String(requests.length - answered), 'none'));
  const same = answers > 0 && otherLabels === 0 && largestDifference <= TOLERANCE;
  const figure = `${answers} texts, ${otherLabels} other labels, confidence within ${largestDifference.toExponential(1)}`;
  report(judged(same, `${check}: as alone`, figure, `no other label, within ${TOLERANCE}`));
}

function since(start: number): number {
  return (performance.now() - start) / 1000;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
