import { expect } from 'chai';
import type { Neighbor } from '../../src/domain/types.js';
import { errorOf, post, request } from '../helpers/client.js';
import { startTestServer, type TestServer } from '../helpers/server.js';
import { hashResult } from '../helpers/stand-ins.js';

describe('HTTP API', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  describe('POST /predict', () => {
    it('answers one text with label and confidence, in that order and nothing else', async () => {
      const answer = await post(`${server.url}/predict`, { text: 'I love it' });
      expect(answer.status).to.equal(200);
      expect(answer.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      expect(answer.text).to.match(/^\{"label":"(positive|negative)","confidence":0\.\d{1,9}\}$/);
      const { label, confidence } = answer.json as { label: string; confidence: number };
      expect(label).to.equal(hashResult('I love it').label);
      expect(Math.fround(confidence), 'the shortest decimal of the float32').to.equal(
        hashResult('I love it').confidence,
      );
    });

    it('answers a batch in the order of the input, each as it is answered alone', async () => {
      const texts = Array.from({ length: 256 }, (_, i) => `Review number ${i}`);
      const batch = await post(`${server.url}/predict`, { texts });
      expect(Object.keys(batch.json as object)).to.deep.equal(['predictions']);
      const { predictions } = batch.json as { predictions: object[] };
      expect(predictions).to.have.lengthOf(256);
      for (const position of [0, 1, 17, 128, 254, 255]) {
        const alone = await post(`${server.url}/predict`, { text: texts[position] });
        expect(JSON.stringify(predictions[position])).to.equal(alone.text);
      }
    });

    it('answers a batch of one as a batch', async () => {
      const { json } = await post(`${server.url}/predict`, { texts: ['I love it'] });
      expect(json).to.have.property('predictions').with.lengthOf(1);
    });

    it('says in a header what was truncated, and only then', async () => {
      const long = 'word '.repeat(200);
      const single = await post(`${server.url}/predict`, { text: long });
      expect(single.headers.get('x-truncated')).to.equal('true');
      const batch = await post(`${server.url}/predict`, { texts: [long, 'short', long] });
      expect(batch.headers.get('x-truncated')).to.equal('0,2');
      const short = await post(`${server.url}/predict`, { texts: ['short'] });
      expect(short.headers.has('x-truncated')).to.equal(false);
    });
  });

  describe('POST /recommend', () => {
    it('answers product_id and k neighbours of id and score, in that order', async () => {
      const { status, text } = await post(`${server.url}/recommend`, { product_id: 'SKU-123', k: 2 });
      expect(status).to.equal(200);
      const neighbors = '[{"id":"SKU-124","score":0.999},{"id":"SKU-125","score":0.998}]';
      expect(text).to.equal(`{"product_id":"SKU-123","neighbors":${neighbors}}`);
    });

    for (const [given, expected] of [
      [undefined, 5],
      [1, 1],
      [100, 100],
    ]) {
      it(`gives ${expected} neighbours for k ${given}`, async () => {
        const { json } = await post(`${server.url}/recommend`, { product_id: 'SKU-1', k: given });
        expect((json as { neighbors: Neighbor[] }).neighbors).to.have.lengthOf(expected!);
      });
    }

    it('answers 404 with a message for an unknown product', async () => {
      const answer = await post(`${server.url}/recommend`, { product_id: 'SKU-none' });
      expect(errorOf(answer, 404, 'product_not_found').message).to.include('product');
    });
  });

  describe('GET /healthz', () => {
    it('answers byte for byte', async () => {
      expect(await request(`${server.url}/healthz`)).to.include({ status: 200, text: '{"status":"ok"}' });
    });

    it('answers HEAD without a body', async () => {
      expect(await request(`${server.url}/healthz`, { method: 'HEAD' })).to.include({ status: 200, text: '' });
    });
  });

  describe('paths and methods', () => {
    for (const path of ['/', '/nothing', '/PREDICT', '/predict/', '//predict', '/%']) {
      it(`answers 404 for ${path}`, async () => {
        errorOf(await post(`${server.url}${path}`, { text: 'x' }), 404, 'not_found');
      });
    }

    for (const [method, path, allow] of [
      ['GET', '/predict', 'POST, OPTIONS'],
      ['DELETE', '/recommend', 'POST, OPTIONS'],
      ['PROPFIND', '/predict', 'POST, OPTIONS'],
      ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
      ['PUT', '/metrics', 'GET, HEAD, OPTIONS'],
    ] as const) {
      it(`answers 405 with Allow for ${method} ${path}`, async () => {
        const answer = await request(`${server.url}${path}`, { method });
        errorOf(answer, 405, 'method_not_allowed');
        expect(answer.headers.get('allow')).to.equal(allow);
      });
    }

    it('answers OPTIONS with the methods', async () => {
      const answer = await request(`${server.url}/predict`, { method: 'OPTIONS' });
      expect(answer.status).to.equal(204);
      expect(answer.headers.get('allow')).to.equal('POST, OPTIONS');
    });
  });

  describe('X-Request-Id', () => {
    it('is taken over into the answer and into errors', async () => {
      const headers = { 'x-request-id': 'order-7f3a:0042' };
      const right = await post(`${server.url}/predict`, { text: 'x' }, headers);
      expect(right.headers.get('x-request-id')).to.equal('order-7f3a:0042');
      const wrong = await post(`${server.url}/predict`, '{', headers);
      expect(errorOf(wrong, 400, 'invalid_json').request_id).to.equal('order-7f3a:0042');
      const lost = await post(`${server.url}/lost`, {}, headers);
      expect(errorOf(lost, 404, 'not_found').request_id).to.equal('order-7f3a:0042');
    });

    for (const bad of ['', 'a b', 'a"b', 'x'.repeat(129)]) {
      it(`is made new for ${JSON.stringify(bad.slice(0, 8))} of ${bad.length} characters`, async () => {
        const answer = await request(`${server.url}/healthz`, { headers: { 'x-request-id': bad } });
        expect(answer.headers.get('x-request-id')).to.match(/^[0-9a-f-]{36}$/);
      });
    }

    it('is never made twice the same', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => request(`${server.url}/healthz`)));
      expect(new Set(answers.map((answer) => answer.headers.get('x-request-id')))).to.have.property('size', 20);
    });
  });
});
