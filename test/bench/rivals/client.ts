/**
 * A closed-loop HTTP/1.1 client on sockets that stay open. Client and servers share the cores, so it does as little as it
 * can: a request is bytes made before, an answer is parsed after the clock has stopped.
 */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

interface Waiting {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

const HEAD_END = '\r\n\r\n';

/** One connection; one request on its way at a time. */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('Expected an answer but the server closed the connection')));
  }

  /** @throws the system's error when nothing listens there */
  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  send(request: Buffer): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
    if (length === undefined) {
      this.#fail(new Error(`Expected an answer with content-length but received ${head}`));
      return;
    }
    const end = headEnd + HEAD_END.length + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.subarray(headEnd + HEAD_END.length, end);
    this.#received = this.#received.subarray(end);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}

export function encodeRequest(port: number, path: string, value: unknown): Buffer {
  const body = JSON.stringify(value);
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}${HEAD_END}${body}`);
}

export interface Load {
  readonly port: number;
  /** Sent in their order, over and over. */
  readonly requests: readonly Buffer[];
  readonly connections: number;
  /** Ends after so many requests, or so many seconds. */
  readonly count: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

export interface LoadResult {
  readonly latenciesMs: readonly number[];
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
}

/**
 * Each connection sends its next request when the last is answered.
 *
 * @throws Error at the first answer that is not a 200
 */
export async function runLoad({ port, requests, connections, count, seconds, signal }: Load): Promise<LoadResult> {
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  try {
    const latenciesMs: number[] = [];
    const start = performance.now();
    const end = start + seconds * 1000;
    let sent = 0;
    let last = start;
    const sendAll = async (connection: Connection): Promise<void> => {
      while (sent < count && performance.now() < end) {
        signal.throwIfAborted();
        const request = requests[sent++ % requests.length]!;
        const from = performance.now();
        const { status, body } = await connection.send(request);
        last = performance.now();
        latenciesMs.push(last - from);
        if (status !== 200)
          throw new Error(`Expected status 200 but received ${status} ${body.toString().slice(0, 200)}`);
      }
    };
    await Promise.all(open.map(sendAll));
    return { latenciesMs, elapsedMs: last - start };
  } finally {
    for (const connection of open) connection.close();
  }
}
