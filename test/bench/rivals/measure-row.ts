/** One competitor with one model, from its start to its stop. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Prediction } from '../../../src/domain/types.js';
import { freePort } from '../../acceptance/lib/right-answers.js';
import { figuresOf } from '../statistics.js';
import { Connection, encodeRequest, type Load, runLoad } from './client.js';
import { cpuSeconds, machineSeconds, residentMiB } from './processes.js';
import { type RaceServer, startRaceServer } from './race-server.js';
import { type RaceTexts, ROWS_PER_BATCH } from './requests.js';
import type { Competitor, Start } from './rivals.js';

/** Hugging Face's float32 probabilities of every label, each text alone. */
export interface References {
  readonly labels: readonly string[];
  readonly short: readonly (readonly number[])[];
  readonly singles: readonly (readonly number[])[];
  readonly batches: readonly (readonly (readonly number[])[])[];
}

export interface Agreement {
  readonly texts: number;
  /** Largest difference of a probability from Hugging Face's. */
  readonly largest: number;
  /** Texts with another label than Hugging Face gives them. */
  readonly flips: number;
}

/** Undefined figures were not asked for, or the system does not tell. */
export interface RowFigures {
  readonly readySeconds: number;
  readonly w1?: { readonly p50Ms: number; readonly p95Ms: number; readonly p99Ms: number };
  readonly w2?: { readonly requestsPerSecond: number; readonly p95Ms: number };
  readonly w3?: { readonly textsPerSecond: number };
  readonly w4?: { readonly p50Ms: number };
  readonly residentMiB: number | undefined;
  readonly agreement: Agreement | undefined;
  /** Largest share of the cores that others took during a workload: above a few percent the figures say little. */
  readonly others: number;
}

export interface RowOptions {
  readonly start: Omit<Start, 'port'>;
  readonly texts: RaceTexts;
  readonly references: References;
  /** Shortens every workload. */
  readonly scale: number;
  /** The workloads too, not only the agreement. */
  readonly speed: boolean;
  /** Compared with the references; the same in every round. */
  readonly agreement: { readonly singles: number; readonly batches: number } | undefined;
  readonly signal: AbortSignal;
}

/** A first answer further off than this is not rounding, which is up to 0.36 with int8 and a seeded head. */
const WRONG = 0.6;
const QUIET_SHARE = 0.04;
const QUIET_WITHIN_SECONDS = 20;
const WARM_UP_SECONDS = 1;
/** Between two looks at the processes. */
const LOOK_MS = 300;

export async function measureRow(competitor: Competitor, options: RowOptions): Promise<RowFigures> {
  const { api } = competitor;
  const { start, texts, references, scale, signal } = options;
  const port = await freePort();
  const command = await competitor.start({ ...start, port });
  const logFile = join(
    start.paths.logs,
    `${competitor.name}-${start.model}-${competitor.dtype}.log`.replaceAll(/[ ,+]+/g, '-'),
  );
  const first = {
    body: api.single(texts.short[0]),
    check: (body: unknown) => {
      const { largest } = compare([api.readSingle(body)], references.short, references.labels);
      if (largest > WRONG) throw new Error(`wrong answer to ${texts.short[0]}: ${largest.toFixed(3)} off`);
    },
  };
  const server = await startRaceServer(command, port, logFile, first, signal);
  try {
    const agreement = options.agreement && (await agree(competitor, port, options));
    const singles = texts.singles.map((text) => encodeRequest(port, '/predict', api.single(text)));
    const batches = texts.batches.map((batch) => encodeRequest(port, '/predict', api.batch(batch)));
    const short = texts.short.map((text) => encodeRequest(port, '/predict', api.single(text)));
    const timed = (requests: Buffer[], connections: number, count: number, seconds: number) =>
      measureLoad(server, { port, requests, connections, count, seconds, signal }, scale);
    if (!options.speed)
      return { readySeconds: server.readySeconds, residentMiB: residentMiB(server.pid), agreement, others: 0 };
    const w1 = await timed(singles, 1, 300, 12);
    const w2 = await timed(singles, 32, Number.POSITIVE_INFINITY, 6);
    const w3 = await timed(batches, 2, Number.POSITIVE_INFINITY, 8);
    const w4 = await timed(short, 1, 400, 5);
    return {
      readySeconds: server.readySeconds,
      w1,
      w2: { requestsPerSecond: w2.textsPerSecond, p95Ms: w2.p95Ms },
      w3: { textsPerSecond: w3.textsPerSecond * ROWS_PER_BATCH },
      w4,
      residentMiB: residentMiB(server.pid),
      agreement,
      others: Math.max(...[w1, w2, w3, w4].map(({ others }) => others)),
    };
  } finally {
    await server.stop();
  }
}

async function measureLoad({ pid }: Pick<RaceServer, 'pid'>, load: Load, scale: number) {
  if (scale === 1) await quiet(pid);
  await runLoad({ ...load, count: Number.POSITIVE_INFINITY, seconds: WARM_UP_SECONDS * scale });
  const before = usedByOthers(pid);
  const { latenciesMs, elapsedMs } = await runLoad({ ...load, seconds: load.seconds * scale });
  const others = (usedByOthers(pid) - before) / ((elapsedMs / 1000) * availableParallelism());
  return { ...figuresOf(latenciesMs, 1, elapsedMs), others: Math.max(0, others) };
}

/** Seconds of CPU used by neither the server nor this process. */
function usedByOthers(pid: number): number {
  const { user, system } = process.cpuUsage();
  return machineSeconds() - cpuSeconds(pid) - (user + system) / 1e6;
}

/** Waits a while for the machine to do nothing else. */
async function quiet(pid: number): Promise<void> {
  for (let waited = 0; waited < QUIET_WITHIN_SECONDS; waited += LOOK_MS / 1000) {
    const [before, from] = [usedByOthers(pid), performance.now()];
    await sleep(LOOK_MS);
    const share = (usedByOthers(pid) - before) / (((performance.now() - from) / 1000) * availableParallelism());
    if (share < QUIET_SHARE) return;
  }
}

async function agree({ api }: Competitor, port: number, options: RowOptions): Promise<Agreement> {
  const { texts, references, signal } = options;
  const { singles, batches } = options.agreement!;
  const connection = await Connection.open(port);
  const ask = async (value: object): Promise<unknown> => {
    signal.throwIfAborted();
    const { status, body } = await connection.send(encodeRequest(port, '/predict', value));
    if (status !== 200) throw new Error(`Expected status 200 but received ${status} ${body.toString().slice(0, 200)}`);
    return JSON.parse(body.toString());
  };
  try {
    const answers: Prediction[] = [];
    for (const text of texts.singles.slice(0, singles)) answers.push(api.readSingle(await ask(api.single(text))));
    for (const batch of texts.batches.slice(0, batches)) answers.push(...api.readBatch(await ask(api.batch(batch))));
    const expected = [...references.singles.slice(0, singles), ...references.batches.slice(0, batches).flat()];
    return compare(answers, expected, references.labels);
  } finally {
    connection.close();
  }
}

export function compare(
  answers: readonly Prediction[],
  expected: readonly (readonly number[])[],
  labels: readonly string[],
): Agreement {
  if (answers.length !== expected.length) {
    throw new Error(`Expected ${expected.length} predictions but received ${answers.length}`);
  }
  let [largest, flips] = [0, 0];
  answers.forEach(({ label, confidence }, row) => {
    const probabilities = expected[row]!;
    const difference = Math.abs(confidence - (probabilities[labels.indexOf(label)] ?? Number.NaN));
    // What is no number, or no label, is as wrong as can be.
    largest = Math.max(largest, Number.isNaN(difference) ? 1 : difference);
    if (label !== labels[probabilities.indexOf(Math.max(...probabilities))]) flips++;
  });
  return { texts: answers.length, largest, flips };
}
