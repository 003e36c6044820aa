import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect } from 'chai';
import { post, request } from '../helpers/client.js';
import { type LogLine, startTestServer, type TestServer } from '../helpers/server.js';
import { HeldEngine } from '../helpers/stand-ins.js';

const HELD_MS = 80;

describe('logs and metrics', () => {
  let server: TestServer;
  let engine: HeldEngine;
  beforeEach(async () => {
    engine = new HeldEngine(1);
    server = await startTestServer({ engine });
  });
  afterEach(() => server.close());

  async function predictHeld(text: string, requestId: string): Promise<void> {
    const reply = post(`${server.url}/predict`, { text }, { 'x-request-id': requestId });
    await engine.arrived(1);
    await new Promise((resolve) => setTimeout(resolve, HELD_MS));
    engine.batches[0]!.answer();
    await reply;
  }

  async function lineOf(requestId: string): Promise<LogLine> {
    for (let i = 0; i < 200; i++) {
      const line = server.logs.find((one) => one.request_id === requestId && one.msg === 'request');
      if (line) return line;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`No log line for ${requestId}.`);
  }

  it('logs each request with id, method, path, status and latency in milliseconds', async () => {
    const began = performance.now();
    await predictHeld('Great product', 'held-1');
    const line = await lineOf('held-1');
    const elapsedMs = performance.now() - began;
    expect(line).to.include({ level: 'info', method: 'POST', path: '/predict', status: 200 });
    expect(line.latency_ms).to.be.within(HELD_MS - 2, elapsedMs);
    expect(line.time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('logs the code of an error, never a text or a query', async () => {
    await post(
      `${server.url}/predict?text=topsecret`,
      { text: 'topsecret', topsecret: 1 },
      { 'x-request-id': 'wrong-1' },
    );
    expect(await lineOf('wrong-1')).to.include({ status: 400, error: 'invalid_request', path: '/predict' });
    await predictHeld('topsecret', 'right-1');
    await lineOf('right-1');
    expect(JSON.stringify(server.logs)).not.to.include('topsecret');
  });

  it('counts requests by route and status, all unknown paths under one label', async () => {
    await request(`${server.url}/healthz`);
    await request(`${server.url}/a`);
    await request(`${server.url}/b`);
    await post(`${server.url}/predict`, {});
    const { text, headers } = await request(`${server.url}/metrics`);
    expect(headers.get('content-type')).to.equal('text/plain; version=0.0.4; charset=utf-8');
    expect(text).to.include('distilserve_http_requests_total{route="/healthz",status="200"} 1\n');
    expect(text).to.include('distilserve_http_requests_total{route="unknown",status="404"} 2\n');
    expect(text).to.include('distilserve_http_requests_total{route="/predict",status="400"} 1\n');
    expect(text).not.to.include('"/a"');
  });

  it('measures latency in seconds, from buckets of a quarter of a millisecond on', async () => {
    const began = performance.now();
    await predictHeld('Great product', 'held-2');
    await lineOf('held-2');
    const elapsedMs = performance.now() - began;
    const { text } = await request(`${server.url}/metrics`);
    const sum = Number(/^distilserve_http_request_duration_seconds_sum\{route="\/predict"\} (\S+)$/m.exec(text)?.[1]);
    expect(sum).to.be.within((HELD_MS - 2) / 1000, elapsedMs / 1000);
    expect(text).to.include('distilserve_http_request_duration_seconds_bucket{le="0.00025",route="/predict"} 0\n');
  });

  it('shows queue, running batches, batch sizes and forward time', async () => {
    const replies = [
      post(`${server.url}/predict`, { text: 'a' }),
      post(`${server.url}/predict`, { texts: ['b', 'c'] }),
    ];
    await engine.arrived(1);
    let text = '';
    while (!/^distilserve_queue_texts [12]$/m.test(text)) ({ text } = await request(`${server.url}/metrics`));
    expect(text).to.include('distilserve_running_batches 1\n');
    engine.batches[0]!.answer();
    await engine.arrived(2);
    engine.batches[1]!.answer();
    await Promise.all(replies);
    ({ text } = await request(`${server.url}/metrics`));
    expect(text).to.include('distilserve_queue_texts 0\n');
    expect(text).to.include('distilserve_batch_texts_sum 3\n').and.to.include('distilserve_batch_texts_count 2\n');
    // The stand-in says 1 ms for each of the two.
    expect(text).to.include('distilserve_batch_forward_seconds_sum 0.002\n');
    expect(text).to.include('distilserve_replaced_workers_total 0\n');
  });

  it('shows the delay of the event loop without the sampling interval', async () => {
    const began = performance.now();
    // Node's own, which does not take the interval off: load of the machine shows in both.
    const raw = monitorEventLoopDelay({ resolution: 10 });
    raw.enable();
    await new Promise((resolve) => setTimeout(resolve, 300));
    raw.disable();
    const { text } = await request(`${server.url}/metrics`);
    const p50 = Number(/^distilserve_event_loop_delay_seconds\{quantile="0.5"\} (\S+)$/m.exec(text)?.[1]);
    expect(p50)
      .to.be.at.least(0)
      .and.below(raw.percentile(50) / 1e9);
    const until = performance.now() + 150;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const blocked = (await request(`${server.url}/metrics`)).text;
    const max = Number(/^distilserve_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m.exec(blocked)?.[1]);
    expect(max).to.be.within(0.1, (performance.now() - began) / 1000);
  });
});
