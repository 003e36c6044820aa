import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const WINDOW_MS = 60_000;
const QUANTILES = [0.5, 0.99, 1] as const;

export interface DelayQuantile {
  /** 1 is the maximum. */
  readonly quantile: number;
  readonly seconds: number;
}

/**
 * How late the event loop runs its timers, over the last one to two minutes, whoever reads it and how often.
 *
 * Node's histogram holds whole intervals, so an idle loop would show the sampling interval itself
 * (https://github.com/nodejs/node/issues/34661): that is taken off here.
 */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #lastWindow: readonly number[] = QUANTILES.map(() => 0);

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      this.#lastWindow = this.#window();
      this.#histogram.reset();
    }, WINDOW_MS).unref();
  }

  /** The worse of the window that runs and the one before it. */
  read(): DelayQuantile[] {
    const current = this.#window();
    return QUANTILES.map((quantile, i) => ({ quantile, seconds: Math.max(current[i]!, this.#lastWindow[i]!) }));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #window(): number[] {
    if (this.#histogram.count === 0) return QUANTILES.map(() => 0);
    return QUANTILES.map((quantile) => {
      const intervalMs = this.#histogram.percentile(quantile * 100) / 1e6;
      return Math.max(0, intervalMs - RESOLUTION_MS) / 1000;
    });
  }
}
