import { SingleBar } from 'cli-progress';

const PLAIN_LINE_INTERVAL_MS = 10_000;

/** Set-up talks on stderr: stdout belongs to what comes after it. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export interface Progress {
  /** Bytes or steps done so far. */
  update(done: number, total?: number): void;
  stop(): void;
}

/** A bar on stderr; without a terminal a plain line at the start, every ten seconds, and at the end. */
export function startProgress(label: string, total: number, unit: 'bytes' | 'steps'): Progress {
  const scale = unit === 'bytes' ? 1e6 : 1;
  const show = process.stderr.isTTY ? bar(label, unit) : plainLines(label, unit);
  let last = 0;
  let whole = total;
  show.update(0, Math.max(1, Math.round(whole / scale)));
  return {
    update(done, newTotal) {
      whole = newTotal ?? whole;
      // What is measured from outside may shrink for a moment while a file is renamed.
      last = Math.min(Math.max(last, done), whole);
      show.update(Math.round(last / scale), Math.max(1, Math.round(whole / scale)));
    },
    stop: () => show.stop(last >= whole),
  };
}

interface Display {
  update(done: number, total: number): void;
  stop(finished: boolean): void;
}

function bar(label: string, unit: 'bytes' | 'steps'): Display {
  const figures = unit === 'bytes' ? '{value}/{total} MB, {eta_formatted} left' : 'step {value}/{total}';
  const single = new SingleBar({
    format: `${label} [{bar}] {percentage}% (${figures}, {duration_formatted})`,
    stream: process.stderr,
    barsize: 24,
  });
  single.start(1, 0);
  return {
    update(done, total) {
      single.setTotal(total);
      single.update(done);
    },
    stop: () => single.stop(),
  };
}

// cli-progress's own lines for pipes repeat the last one and garble the time left.
function plainLines(label: string, unit: 'bytes' | 'steps'): Display {
  const startedAt = performance.now();
  const elapsed = () => `${((performance.now() - startedAt) / 1000).toFixed(0)} s`;
  const figures = () => (unit === 'bytes' ? `${done}/${total} MB` : `step ${done}/${total}`);
  let done = 0;
  let total = 1;
  const timer = setInterval(() => say(`${label}: ${figures()}, ${elapsed()}`), PLAIN_LINE_INTERVAL_MS);
  say(`${label} …`);
  return {
    update(newDone, newTotal) {
      done = newDone;
      total = newTotal;
    },
    stop(finished) {
      clearInterval(timer);
      say(`${label}: ${finished ? 'done' : `stopped at ${figures()}`}, ${elapsed()}`);
    },
  };
}
