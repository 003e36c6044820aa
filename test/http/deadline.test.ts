import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { withDeadline } from '../../src/http/deadline.js';
import { open } from '../helpers/raw-http.js';

describe('withDeadline()', () => {
  it('aborts at once for a client that had left before', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = open((server.address() as AddressInfo).port);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [, res] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
    socket.destroy();
    await once(res, 'close');
    const work = withDeadline({ res }, 2000, () => new Promise<never>(() => {}));
    const error = await work.catch((thrown: unknown) => thrown);
    expect(error).to.have.property('name', 'AbortError');
    server.close();
  });
});
