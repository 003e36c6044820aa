import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A connection on which a test writes what it likes. */
export function open(port: number): Socket {
  return connect(port, '127.0.0.1');
}

/** Writes `bytes`, reads until the server closes, and returns the first answer. */
export async function exchange(port: number, bytes: string | Buffer): Promise<RawAnswer> {
  const socket = open(port);
  socket.write(bytes);
  return readAnswer(socket);
}

/** The first answer that comes on `socket`, once its announced length is there. */
export function readAnswer(socket: Socket): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let received = '';
    socket.setEncoding('utf8');
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`Connection closed after ${JSON.stringify(received)}`)));
    socket.on('data', (chunk: string) => {
      received += chunk;
      const answer = parse(received);
      if (!answer) return;
      socket.destroy();
      resolve(answer);
    });
  });
}

function parse(text: string): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first, ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = text.slice(end + 4);
  const length = Number(headers['content-length'] ?? 0);
  return Buffer.byteLength(body) < length ? undefined : { status: Number(first!.split(' ')[1]), headers, body };
}
