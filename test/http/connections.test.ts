import { once } from 'node:events';
import { expect } from 'chai';
import { post, request } from '../helpers/client.js';
import { exchange, open, readAnswer } from '../helpers/raw-http.js';
import { startTestServer } from '../helpers/server.js';
import { HeldEngine } from '../helpers/stand-ins.js';

describe('HttpServer', () => {
  describe('answers to what is no HTTP', () => {
    for (const [title, bytes, status, code] of [
      ['a line of rubbish', 'hello\r\n\r\n', 400, 'invalid_request'],
      [
        'two lengths',
        'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
        400,
        'invalid_request',
      ],
      [
        '20 kB of headers',
        `GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
        431,
        'headers_too_large',
      ],
      [
        'a broken chunk',
        'POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
        400,
        'invalid_request',
      ],
    ] as const) {
      it(`gives ${status} in the error shape for ${title} and closes`, async () => {
        const server = await startTestServer();
        const answer = await exchange(server.port, bytes);
        expect(answer.status).to.equal(status);
        expect(answer.headers.connection).to.equal('close');
        const { error } = JSON.parse(answer.body) as { error: Record<string, string> };
        expect(Object.keys(error)).to.deep.equal(['code', 'message', 'request_id']);
        expect(error.code).to.equal(code);
        expect(error.request_id).to.equal(answer.headers['x-request-id']);
        await server.close();
      });
    }

    it('answers the whole request that came before the rubbish', async () => {
      const engine = new HeldEngine();
      const server = await startTestServer({ engine });
      const body = '{"text":"x"}';
      const answer = exchange(
        server.port,
        `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}rubbish\r\n\r\n`,
      );
      await engine.arrived(1);
      await new Promise((resolve) => setTimeout(resolve, 30));
      engine.batches[0]!.answer();
      expect((await answer).status).to.equal(200);
      await server.close();
    });
  });

  describe('the Host header', () => {
    for (const [title, head] of [
      ['no Host', 'GET /healthz HTTP/1.1'],
      ['two Hosts', 'GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y'],
      ['two Hosts under HTTP/1.0', 'GET /healthz HTTP/1.0\r\nHost: x\r\nhost: x'],
    ] as const) {
      it(`gives 400 in the error shape for ${title}, and logs it`, async () => {
        const server = await startTestServer();
        const answer = await exchange(server.port, `${head}\r\nX-Request-Id: mine\r\n\r\n`);
        expect(answer.status).to.equal(400);
        expect(answer.headers['x-request-id']).to.equal('mine');
        expect(JSON.parse(answer.body).error).to.include({ code: 'invalid_request', request_id: 'mine' });
        expect(JSON.parse(answer.body).error.message).to.include('Host');
        await server.close();
        const line = server.logs.find(({ msg }) => msg === 'request');
        expect(line).to.include({ request_id: 'mine', status: 400, error: 'invalid_request' });
      });
    }

    for (const head of ['GET /healthz HTTP/1.0', 'GET /healthz HTTP/1.1\r\nHost:']) {
      it(`takes ${JSON.stringify(head)}`, async () => {
        const server = await startTestServer();
        expect((await exchange(server.port, `${head}\r\n\r\n`)).status).to.equal(200);
        await server.close();
      });
    }
  });

  describe('absolute targets', () => {
    for (const target of ['http://[', 'http://[::1/', 'http://xn--a/']) {
      it(`answers 400 to ${target}, which is no URL, and lives on`, async () => {
        const server = await startTestServer();
        const answer = await exchange(server.port, `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
        expect(answer.status).to.equal(400);
        expect(JSON.parse(answer.body)).to.have.nested.property('error.code', 'invalid_request');
        // The log line comes after the answer, and was what ended the process.
        while (!server.logs.some((line) => line.msg === 'request')) await new Promise(setImmediate);
        expect((await request(`${server.url}/healthz`)).status).to.equal(200);
        await server.close();
      });
    }

    it('takes the path of one that is a URL', async () => {
      const server = await startTestServer();
      const answer = await exchange(server.port, 'GET http://any:1/healthz?q HTTP/1.1\r\nHost: x\r\n\r\n');
      expect(answer.status).to.equal(200);
      await server.close();
    });
  });

  describe('#close()', () => {
    it('finishes a request in flight, closes its connection, and takes no new ones', async () => {
      const engine = new HeldEngine();
      const server = await startTestServer({ engine });
      const reply = post(`${server.url}/predict`, { text: 'x' });
      await engine.arrived(1);
      const closed = server.close();
      const socket = open(server.port);
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).to.equal('ECONNREFUSED');
      engine.batches[0]!.answer();
      const answer = await reply;
      expect(answer.status).to.equal(200);
      expect(answer.headers.get('connection')).to.equal('close');
      expect(await closed).to.equal(true);
    });

    it('does not wait for idle connections, used before or not', async () => {
      const server = await startTestServer({ shutdownTimeoutMs: 2000 });
      const used = open(server.port);
      used.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(used, 'data');
      const unused = open(server.port);
      await once(unused, 'connect');
      const closings = Promise.all([once(used, 'close'), once(unused, 'close')]);
      expect(await server.close(), 'not cut off at the timeout').to.equal(true);
      await closings;
    });

    it('does not wait for a request whose head never becomes whole', async () => {
      const server = await startTestServer({ shutdownTimeoutMs: 2000 });
      const used = open(server.port);
      used.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHo');
      await once(used, 'data');
      const half = open(server.port);
      half.write('GET /healthz HTTP/1.1\r\nHo');
      await request(`${server.url}/healthz`);
      const closings = Promise.all([once(used, 'close'), once(half, 'close')]);
      expect(await server.close(), 'not cut off at the timeout').to.equal(true);
      await closings;
    });

    it('answers a first request that lies unread on its connection', async () => {
      const server = await startTestServer();
      const fresh = open(server.port);
      await once(fresh, 'connect');
      // Accepted in order: with the answer to a later connection, the server has this one too.
      await request(`${server.url}/healthz`);
      fresh.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      const closed = server.close();
      const answer = await readAnswer(fresh);
      expect(answer.status).to.equal(200);
      expect(answer.headers.connection).to.equal('close');
      expect(await closed).to.equal(true);
    });

    it('cuts off at its timeout what does not finish, and says so', async () => {
      const engine = new HeldEngine();
      const server = await startTestServer({ engine, shutdownTimeoutMs: 100 });
      const socket = open(server.port);
      const cut = readAnswer(socket).then(
        () => 'answered',
        () => 'cut',
      );
      socket.write('POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{"text":"x"}');
      await engine.arrived(1);
      const closed = server.close();
      expect(await cut).to.equal('cut');
      // What a worker computes cannot be interrupted: closing the pool before it is done would be a crash.
      const first = await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))]);
      expect(first).to.equal('waits');
      engine.batches[0]!.answer();
      expect(await closed).to.equal(false);
    });
  });
});
