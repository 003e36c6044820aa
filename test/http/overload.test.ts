import { expect } from 'chai';
import { DistilserveError } from '../../src/domain/errors.js';
import { errorOf, post, request } from '../helpers/client.js';
import { startTestServer, type TestServer, type TestServerOptions } from '../helpers/server.js';
import { HeldEngine, hashResult, ListStore } from '../helpers/stand-ins.js';

async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; !(await condition()); i++) {
    if (i > 400) throw new Error('Waited 2 s for a condition that never came true.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('overload and failures', () => {
  let server: TestServer;
  let engine: HeldEngine;
  afterEach(async () => {
    for (const batch of engine.batches) batch.answer();
    await server.close();
  });

  async function start(options: TestServerOptions = {}): Promise<void> {
    engine = new HeldEngine(1);
    server = await startTestServer({ engine, ...options });
  }

  async function queueLength(): Promise<number> {
    const { text } = await request(`${server.url}/metrics`);
    return Number(/^distilserve_queue_texts (\d+)$/m.exec(text)![1]);
  }

  const predict = (body: unknown) => post(`${server.url}/predict`, body);

  it('answers 429 with Retry-After beyond the queue, and serves what was in it', async () => {
    await start({ maxQueue: 2 });
    const running = predict({ text: 'running' });
    await engine.arrived(1);
    const waiting = predict({ texts: ['one', 'two'] });
    await waitUntil(async () => (await queueLength()) === 2);
    const refused = await predict({ text: 'too many' });
    errorOf(refused, 429, 'queue_full');
    expect(Number(refused.headers.get('retry-after'))).to.be.at.least(1);
    engine.batches[0]!.answer();
    await engine.arrived(2);
    engine.batches[1]!.answer();
    expect([(await running).status, (await waiting).status]).to.deep.equal([200, 200]);
  });

  it('answers 504 after the deadline, and its texts leave the queue', async () => {
    await start({ requestTimeoutMs: 100 });
    const running = predict({ text: 'running' });
    await engine.arrived(1);
    const began = performance.now();
    const late = await predict({ texts: ['never', 'run'] });
    errorOf(late, 504, 'deadline_exceeded');
    expect(performance.now() - began).to.be.at.least(90);
    errorOf(await running, 504, 'deadline_exceeded');
    expect(await queueLength()).to.equal(0);
    engine.batches[0]!.answer();
    const next = predict({ text: 'next' });
    await engine.arrived(2);
    expect(engine.batches[1]!.texts).to.deep.equal(['next']);
    engine.batches[1]!.answer();
    expect((await next).status).to.equal(200);
  });

  it('drops the texts of a client that left', async () => {
    await start();
    const running = predict({ text: 'running' });
    await engine.arrived(1);
    const controller = new AbortController();
    const left = request(`${server.url}/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"text":"left"}',
      signal: controller.signal,
    });
    const gone = left.then(
      () => expect.fail('The request was answered'),
      (error: Error) => expect(error.name).to.equal('AbortError'),
    );
    await waitUntil(async () => (await queueLength()) === 1);
    controller.abort();
    await gone;
    await waitUntil(async () => (await queueLength()) === 0);
    await waitUntil(() => server.logs.some((line) => line.status === 499));
    engine.batches[0]!.answer();
    expect((await running).status).to.equal(200);
    expect(engine.batches).to.have.lengthOf(1);
  });

  it('answers the batch of a dead worker with an error, never leaves it hanging, and goes on', async () => {
    await start();
    const doomed = [predict({ text: 'doomed' }), predict({ texts: ['waits'] })];
    await engine.arrived(1);
    await waitUntil(async () => (await queueLength()) === 1);
    engine.batches[0]!.fail(new DistilserveError('worker_died', 'Expected a result but the worker died; try again'));
    await engine.arrived(2);
    engine.batches[1]!.answer();
    expect(errorOf((await doomed[0])!, 500, 'worker_died').message).to.include('worker');
    expect((await doomed[1])!.status).to.equal(200);
  });

  it('tells nothing of an unexpected fault but the request id, and logs its cause', async () => {
    await start();
    const reply = predict({ text: 'x' });
    await engine.arrived(1);
    engine.batches[0]!.fail(new Error('secret path /srv/model'));
    const error = errorOf(await reply, 500, 'internal');
    expect(error.message).not.to.include('secret');
    const line = server.logs.find((one) => one.level === 'error');
    expect(line).to.have.property('request_id', error.request_id);
    expect(JSON.stringify(line)).to.include('secret path /srv/model');
  });

  it('gives each of many concurrent requests its own answers, whatever batches they share', async () => {
    await start({ maxBatchTokens: 60 });
    let done = false;
    const pump = (async () => {
      for (let next = 0; !done; await new Promise(setImmediate)) {
        while (next < engine.batches.length) engine.batches[next++]!.answer();
      }
    })();
    const bodies = Array.from({ length: 60 }, (_, i) =>
      i % 3 === 0 ? { text: `alone ${i}` } : { texts: Array.from({ length: i }, (_, j) => `many ${i} ${j}`) },
    );
    const answers = await Promise.all(bodies.map(predict));
    done = true;
    await pump;
    for (const [i, { json }] of answers.entries()) {
      const texts = bodies[i]!.texts ?? [bodies[i]!.text!];
      const received = bodies[i]!.texts ? (json as { predictions: unknown[] }).predictions : [json];
      const labels = (received as { label: string; confidence: number }[]).map((one) => [
        one.label,
        Math.fround(one.confidence),
      ]);
      expect(labels).to.deep.equal(texts.map(hashResult).map((one) => [one.label, one.confidence]));
    }
  });

  it('answers 503 with Retry-After while the store is away, and /predict goes on', async () => {
    class AwayStore extends ListStore {
      override async neighbors(): Promise<never> {
        throw new DistilserveError('store_unavailable', 'Expected an answer from the store but it is away', {
          retryAfterSeconds: 7,
        });
      }
    }
    await start({ store: new AwayStore() });
    const away = await post(`${server.url}/recommend`, { product_id: 'SKU-1' });
    expect(errorOf(away, 503, 'store_unavailable').message).to.include('store');
    expect(away.headers.get('retry-after')).to.equal('7');
    const reply = predict({ text: 'x' });
    await engine.arrived(1);
    engine.batches[0]!.answer();
    expect((await reply).status).to.equal(200);
  });

  it('answers 504 for a store that never answers', async () => {
    class SilentStore extends ListStore {
      override neighbors(): Promise<never> {
        return new Promise(() => {});
      }
    }
    await start({ store: new SilentStore(), requestTimeoutMs: 50 });
    errorOf(await post(`${server.url}/recommend`, { product_id: 'SKU-1' }), 504, 'deadline_exceeded');
  });
});
