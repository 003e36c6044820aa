/** The only file that knows prom-client: its successor has another name, and two of them would be two registries. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ClassifiedBatch } from '../domain/types.js';
import { EventLoopDelay } from './event-loop-delay.js';

/** Read at each scrape. */
export interface MetricSources {
  readonly waitingTexts: () => number;
  readonly runningBatches: () => number;
  readonly replacedWorkers: () => number;
}

/** prom-client's own begin at 5 ms, where a short text is long answered. */
const LATENCY_BUCKETS_S = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const BATCH_TEXT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export class Metrics {
  readonly #registry = new Registry();
  readonly #eventLoop = new EventLoopDelay();
  readonly #requests: Counter<'route' | 'status'>;
  readonly #latency: Histogram<'route'>;
  readonly #batchTexts: Histogram;
  readonly #forward: Histogram;
  readonly #tokens: Counter;
  readonly #lostLogWrites: Counter;

  constructor(sources: MetricSources) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: 'distilserve_http_requests_total',
      help: 'Requests by route and status; 499 is a client that left before its answer',
      labelNames: ['route', 'status'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'distilserve_http_request_duration_seconds',
      help: 'From the end of the request head to the end of the answer',
      labelNames: ['route'],
      buckets: LATENCY_BUCKETS_S,
      registers,
    });
    this.#batchTexts = new Histogram({
      name: 'distilserve_batch_texts',
      help: 'Texts in one batch',
      buckets: BATCH_TEXT_BUCKETS,
      registers,
    });
    this.#forward = new Histogram({
      name: 'distilserve_batch_forward_seconds',
      help: 'Time of the forward pass of one batch',
      buckets: LATENCY_BUCKETS_S,
      registers,
    });
    this.#tokens = new Counter({ name: 'distilserve_tokens_total', help: 'Tokens computed', registers });
    this.#lostLogWrites = new Counter({
      name: 'distilserve_log_write_errors_total',
      help: 'Log writes that failed, for example on a full disk',
      registers,
    });
    this.#addSources(sources);
    this.#addProcess();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  observeRequest(route: string, status: number, seconds: number): void {
    this.#requests.inc({ route, status });
    this.#latency.observe({ route }, seconds);
  }

  observeBatch({ results, tokens, forwardMs }: ClassifiedBatch): void {
    this.#batchTexts.observe(results.length);
    this.#tokens.inc(tokens);
    this.#forward.observe(forwardMs / 1000);
  }

  observeLostLogWrite(): void {
    this.#lostLogWrites.inc();
  }

  /** Prometheus' text format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  close(): void {
    this.#eventLoop.close();
  }

  #addSources(sources: MetricSources): void {
    this.#gauge('distilserve_queue_texts', 'Texts that wait for a worker', sources.waitingTexts);
    this.#gauge('distilserve_running_batches', 'Batches that workers compute', sources.runningBatches);
    this.#counter('distilserve_replaced_workers_total', 'Workers that died and were replaced', sources.replacedWorkers);
  }

  #addProcess(): void {
    this.#gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
    this.#counter('process_cpu_seconds_total', 'CPU time, user and system', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    const eventLoop = this.#eventLoop;
    new Gauge({
      name: 'distilserve_event_loop_delay_seconds',
      help: 'How late the event loop runs, over the last one to two minutes; quantile 1 is the maximum',
      labelNames: ['quantile'],
      registers: [this.#registry],
      collect() {
        for (const { quantile, seconds } of eventLoop.read()) this.set({ quantile }, seconds);
      },
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }

  #counter(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}
