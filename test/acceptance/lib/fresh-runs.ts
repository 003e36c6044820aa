import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../src/domain/errors.js';
import { FreshClone, type Started } from './fresh-clone.js';
import { firstPrediction, firstRecommendation, freePort } from './right-answers.js';
import { judged, type Verdict } from './verdict.js';

const FIRST_START_SECONDS = 480;
const SECOND_START_SECONDS = 2;
const TEST_SECONDS = 900;
/** Past its bar a run goes on for as long again, for the figure's sake. */
const PATIENCE = 2;
const STOP_MS = 40_000;
/** An orphan that ends by itself within this is no orphan. */
const GRACE_MS = 500;
const SERVER = /dist\/src\/setup\/start\.js/;

export interface FreshRun {
  /** Its HEAD is cloned. */
  readonly repository: string;
  readonly report: (verdict: Verdict) => void;
  readonly signal: AbortSignal;
  /** Takes what is shown on the way. */
  readonly write: (text: string) => void;
}

/** `npm ci && npm start` to the first right answers, stopped by npm's pid; then `npm start` again, stopped by the server's. */
export function measureStarts(fresh: FreshRun): Promise<void> {
  const { report, signal } = fresh;
  return inFreshClone(fresh, async (clone) => {
    await install(clone, signal);
    const url = `http://127.0.0.1:${await freePort()}`;
    const first = await startAndAsk(clone, url, FIRST_START_SECONDS, signal);
    report(timed('npm ci && npm start to the first right answers', clone.timeline.seconds, FIRST_START_SECONDS));
    report(await stopped(clone, first, first.pid, 'SIGTERM to npm alone'));
    const start = clone.timeline.seconds;
    const second = await startAndAsk(clone, url, SECOND_START_SECONDS, signal);
    report(timed('second npm start to the first right answers', clone.timeline.seconds - start, SECOND_START_SECONDS));
    report(await stopped(clone, second, await serverPid(clone), 'SIGTERM to the server alone'));
  });
}

/** `npm ci && npm test`. */
export function measureTest(fresh: FreshRun): Promise<void> {
  const { report, signal } = fresh;
  return inFreshClone(fresh, async (clone) => {
    await install(clone, signal);
    let counts = 'no line of counts';
    const test = clone.start(['npm', 'test'], {}, (line) => {
      if (/^\d+ passed, \d+ failed, \d+ skipped$/.test(line)) counts = line;
    });
    const code = await within(test.ended, PATIENCE * TEST_SECONDS, signal);
    clone.timeline.step(`npm test ended with ${code}`);
    const passed = code === 0 && / 0 failed,/.test(counts);
    report(judged(passed, 'npm ci && npm test passes', `${counts}, exit code ${code}`, 'none failed, exit code 0'));
    report(timed('npm ci && npm test', clone.timeline.seconds, TEST_SECONDS));
  });
}

async function inFreshClone(
  { repository, write }: FreshRun,
  body: (clone: FreshClone) => Promise<void>,
): Promise<void> {
  const clone = await FreshClone.make(repository, write);
  try {
    clone.timeline.step(`fresh clone of ${clone.commit}`);
    await body(clone);
  } finally {
    write(`\n${clone.timeline.summary()}\n\n`);
    await clone.remove();
  }
}

async function install(clone: FreshClone, signal: AbortSignal): Promise<void> {
  const code = await within(clone.start(['npm', 'ci']).ended, PATIENCE * FIRST_START_SECONDS, signal);
  if (code !== 0) throw new Error(`Expected npm ci to succeed but it ended with ${code}; its output is above`);
}

async function startAndAsk(clone: FreshClone, url: string, bar: number, signal: AbortSignal): Promise<Started> {
  const npm = clone.start(['npm', 'start'], { PORT: new URL(url).port });
  const over = new AbortController();
  const asking = AbortSignal.any([signal, over.signal]);
  const ask = async (): Promise<void> => {
    clone.timeline.step(`POST /predict: ${await firstPrediction(url, asking)}`);
    clone.timeline.step(`POST /recommend: ${await firstRecommendation(url, asking)}`);
  };
  const ended = npm.ended.then((code) => {
    throw new Error(`Expected npm start to serve but it ended with ${code}; its output is above`);
  });
  try {
    await within(Promise.race([ask(), ended]), Math.max(PATIENCE * bar, 60), signal);
    return npm;
  } finally {
    over.abort();
    ended.catch(() => {});
  }
}

/** The process that npm has started, which is the server. */
async function serverPid(clone: FreshClone): Promise<number> {
  const servers = (await clone.leftovers()).filter(({ command }) => SERVER.test(command));
  if (servers.length === 1) return servers[0]!.pid;
  throw new Error(`Expected one process of ${SERVER.source} but found ${servers.length}`);
}

async function stopped(clone: FreshClone, npm: Started, pid: number, check: string): Promise<Verdict> {
  clone.timeline.step(check);
  process.kill(pid, 'SIGTERM');
  const code = await within(npm.ended, STOP_MS / 1000).catch(messageOf);
  await sleep(GRACE_MS);
  const left = await clone.leftovers();
  for (const { command } of left) clone.timeline.step(`left: ${command}`);
  const figure = `npm's exit code ${code}, ${left.length} processes left`;
  return judged(code === 0 && left.length === 0, check, figure, 'exit code 0, none left');
}

function timed(check: string, seconds: number, bar: number): Verdict {
  return judged(seconds <= bar, check, `${seconds.toFixed(1)} s`, `at most ${bar} s`);
}

/** Rejects when it takes longer, or the signal aborts. */
async function within<T>(promise: Promise<T>, seconds: number, signal?: AbortSignal): Promise<T> {
  const over = new AbortController();
  const limits = signal === undefined ? [over.signal] : [over.signal, signal];
  const late = sleep(seconds * 1000, undefined, { signal: AbortSignal.any(limits) }).then(() => {
    throw new Error(`Expected an end within ${seconds} s`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
    late.catch(() => {});
  }
}
