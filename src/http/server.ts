/** The HTTP server around an application: limits, answers to what is no HTTP, and a stop that loses nothing. */
import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type Koa from 'koa';
import { DistilserveError } from '../domain/errors.js';
import { errorBody } from './error-body.js';
import type { Logger } from './logger.js';

const LIMITS: ServerOptions = {
  maxHeaderSize: 16 * 1024,
  // The application refuses a request without Host: Node's own answer has no body, no id, and is not logged.
  requireHostHeader: false,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // Both timeouts are only looked at this often; Node's default is 30 s.
  connectionsCheckingInterval: 1000,
  // Longer than the idle timeout of common proxies (60 s), so that it is they who close an idle connection.
  keepAliveTimeout: 65_000,
};

/** How long a connection stays after an answer to what is no HTTP, so that the client can read it. */
const LINGER_MS = 500;
const SWEEP_MS = 50;
/** How long a stop waits for a request that has not begun, or whose head is not whole. */
const STOP_GRACE_MS = 250;

type ParserError = Error & { readonly code?: string };

export class HttpServer {
  readonly #server: Server;
  readonly #logger: Logger;
  readonly #sockets = new Set<Socket>();
  readonly #inFlight = new Set<ServerResponse>();
  #closing = false;

  constructor(app: Koa, logger: Logger) {
    this.#logger = logger;
    const handle = app.callback();
    const onRequest = (req: IncomingMessage, res: ServerResponse) => {
      this.#inFlight.add(res);
      res.once('close', () => this.#inFlight.delete(res));
      if (this.#closing) res.shouldKeepAlive = false;
      void handle(req, res);
    };
    this.#server = createServer(LIMITS, onRequest);
    // The application answers both: it knows which bodies it will read.
    this.#server.on('checkContinue', onRequest);
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** @throws DistilserveError invalid_config when the address cannot be listened on */
  listen(port: number, host: string): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      const refuse = (cause: Error) => {
        const message = `Expected to listen on ${host}:${port} but ${cause.message}; choose another HOST or PORT`;
        reject(new DistilserveError('invalid_config', message, { cause }));
      };
      this.#server.once('error', refuse);
      this.#server.listen(port, host, () => {
        this.#server.off('error', refuse);
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /**
   * Accepts no more connections, lets what is in flight finish, and closes each connection after its answer.
   *
   * @returns false if something was cut off when `timeoutMs` had passed
   */
  async close(timeoutMs: number): Promise<boolean> {
    this.#closing = true;
    let finished = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const res of this.#inFlight) res.shouldKeepAlive = false;
    const graceEnds = performance.now() + STOP_GRACE_MS;
    const sweep = setInterval(() => {
      this.#server.closeIdleConnections();
      if (performance.now() >= graceEnds) this.#closeWithoutRequest();
    }, SWEEP_MS);
    const timer = setTimeout(() => {
      finished = false;
      this.#server.closeAllConnections();
    }, timeoutMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(timer);
    return finished;
  }

  /**
   * Node counts a connection on which no whole request head came as busy, and looks at no timeout once it is closing.
   * One whose writing has ended is on its way out with an answer that its client may still read.
   */
  #closeWithoutRequest(): void {
    const busy = new Set([...this.#inFlight].map((res) => res.req.socket));
    for (const socket of this.#sockets) if (!busy.has(socket) && !socket.writableEnded) socket.destroy();
  }

  #onClientError(error: ParserError, socket: Duplex): void {
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const pending = [...this.#inFlight].find((res) => res.socket === socket);
    if (pending?.req.complete) {
      // A whole request came before the rubbish: it gets its answer, then the connection ends.
      pending.shouldKeepAlive = false;
      return;
    }
    const { status, code, message } = describe(error);
    const requestId = randomUUID();
    this.#logger.info({ request_id: requestId, status, error: code, parser: error.code }, 'unreadable request');
    if (pending?.headersSent) socket.destroy();
    else socket.end(rawAnswer(status, errorBody(code, message, requestId), requestId));
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
}

function describe(error: ParserError): DistilserveError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new DistilserveError(
        'headers_too_large',
        `Expected at most ${LIMITS.maxHeaderSize} bytes of headers but received more`,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new DistilserveError('request_timeout', 'Expected the whole request in time but it did not come');
    default:
      return new DistilserveError('invalid_request', 'Expected an HTTP/1.1 request but could not parse it');
  }
}

function rawAnswer(status: number, body: string, requestId: string): string {
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
