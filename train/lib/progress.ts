import { setImmediate } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';

/** A progress bar on stderr; where that is no terminal, a plain line now and then. */
export class Progress {
  readonly #bar: SingleBar;
  readonly #start = performance.now();
  #done = 0;

  private constructor(
    private readonly total: number,
    format: string,
  ) {
    this.#bar = new SingleBar({
      format: `${format} | {left} left`,
      stream: process.stderr,
      noTTYOutput: true,
      notTTYSchedule: 5000,
      hideCursor: true,
      barsize: 24,
    });
    this.#bar.start(total, 0, { left: '?' });
  }

  /**
   * Shows progress while `work` runs, and takes the bar away however that ends: its timer would keep the process alive.
   *
   * @param format cli-progress's format; its own fields are {bar}, {percentage}, {value}, {total}
   */
  static async during<T>(total: number, format: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    const progress = new Progress(total, format);
    try {
      return await work(progress);
    } finally {
      progress.#bar.stop();
    }
  }

  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** One more unit done, with the fields that the format names. Lets timers run: native calls are synchronous. */
  async step(fields: Record<string, string>, units = 1): Promise<void> {
    this.#done += units;
    const left = (this.seconds / this.#done) * (this.total - this.#done);
    this.#bar.update(this.#done, { ...fields, left: formatSeconds(left) });
    await setImmediate();
  }
}

function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
}
