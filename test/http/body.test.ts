import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { errorOf, post, request } from '../helpers/client.js';
import { exchange, open, readAnswer } from '../helpers/raw-http.js';
import { startTestServer, type TestServer } from '../helpers/server.js';

const CAP = 4096;
const DOCUMENT = '{"text":"Très bien"}';

describe('request bodies', () => {
  let server: TestServer;
  let url: string;
  before(async () => {
    server = await startTestServer({ maxBodyBytes: CAP });
    url = `${server.url}/predict`;
  });
  after(() => server.close());

  function send(body: string | Buffer, headers: Record<string, string>) {
    return request(url, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers });
  }

  it('answers a body of exactly the cap, and 413 for one byte more', async () => {
    const frame = '{"text":""}'.length;
    const exact = await post(url, { text: 'a'.repeat(CAP - frame) });
    expect(exact.status).to.equal(200);
    const answer = await post(url, { text: 'a'.repeat(CAP - frame + 1) });
    expect(errorOf(answer, 413, 'payload_too_large').message).to.include(String(CAP));
    expect(answer.headers.get('connection')).to.equal('close');
  });

  it('answers 413 by the announced length alone, and 2^31 is no way round it', async () => {
    for (const length of [CAP + 1, 2 ** 31 + 1, 2 ** 32 + 10]) {
      const head = `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
      expect((await exchange(server.port, head)).status).to.equal(413);
    }
  });

  it('answers 413 to a chunked body as soon as it is over the cap', async () => {
    const head = 'POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const chunk = `800\r\n${'a'.repeat(0x800)}\r\n`;
    expect((await exchange(server.port, head + chunk.repeat(3))).status).to.equal(413);
  });

  it('keeps the 413 readable for a client that sends all of its body first', async () => {
    const socket = open(server.port);
    socket.write('POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n');
    for (let i = 0; i < 20; i++) {
      if (!socket.write(Buffer.alloc(1_000_000))) await once(socket, 'drain');
    }
    expect((await readAnswer(socket)).status).to.equal(413);
  });

  for (const type of ['application/json', 'Application/JSON; charset="UTF-8"', 'application/vnd.api+json', '']) {
    it(`reads the type ${JSON.stringify(type)}`, async () => {
      expect((await send(DOCUMENT, type ? { 'content-type': type } : {})).status).to.equal(200);
    });
  }

  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin1',
    'application/xml',
  ]) {
    it(`answers 415 for the type ${type}, repeating it`, async () => {
      const answer = await send(DOCUMENT, { 'content-type': type });
      expect(errorOf(answer, 415, 'unsupported_media_type').message).to.include(type.split('charset=').at(-1));
    });
  }

  it('answers 415 for a packed body, and reads identity', async () => {
    const json = { 'content-type': 'application/json' };
    const packed = await send(gzipSync(DOCUMENT), { ...json, 'content-encoding': 'gzip' });
    errorOf(packed, 415, 'unsupported_media_type');
    expect((await send(DOCUMENT, { ...json, 'content-encoding': 'identity' })).status).to.equal(200);
  });

  it('takes a byte order mark off and answers as without it', async () => {
    const headers = { 'content-type': 'application/json' };
    expect((await send(`\ufeff${DOCUMENT}`, headers)).text).to.equal((await send(DOCUMENT, headers)).text);
  });

  for (const [title, bytes] of [
    ['Latin-1', Buffer.from(DOCUMENT, 'latin1')],
    [
      'a character cut in the middle',
      Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xf0, 0x9f]), Buffer.from('"}')]),
    ],
    [
      'a surrogate in three bytes',
      Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ],
  ] as const) {
    it(`refuses ${title} rather than judging another text`, async () => {
      const answer = await send(bytes, { 'content-type': 'application/json' });
      expect(errorOf(answer, 400, 'invalid_json').message).to.include('UTF-8');
    });
  }

  it('gives leave to send only for a body that it will read', async () => {
    const ask = (length: number) =>
      `POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    expect((await exchange(server.port, ask(10))).status).to.equal(100);
    const refused = await exchange(server.port, ask(CAP + 1));
    expect(refused.status).to.equal(413);
    expect(refused.headers.connection).to.equal('close');
    const lost = await exchange(server.port, ask(10).replace('/predict', '/lost'));
    expect(lost.status).to.equal(404);
    expect(lost.headers.connection, 'nobody knows whether the body still comes').to.equal('close');
  });

  it('answers 417 to an expectation that nobody knows', async () => {
    const head = 'POST /predict HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n';
    const answer = await exchange(server.port, head);
    expect(answer.status).to.equal(417);
    expect(answer.body).to.include('"code":"expectation_failed"');
  });
});
