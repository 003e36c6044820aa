import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = 'c0ffee'.padEnd(40, '0');

/** The hub's three calls that a download makes, over one model of given files, on a loopback port. */
export class HubStandIn {
  readonly requests: string[] = [];
  readonly tokens = new Set<string | undefined>();
  /** Sent in place of the file's bytes, while the digest listed stays. */
  corrupted: string | undefined;
  readonly #files: Readonly<Record<string, string>>;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  constructor(files: Readonly<Record<string, string>>) {
    this.#files = files;
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url ?? '', 'http://hub').pathname;
    this.requests.push(path);
    this.tokens.add(request.headers.authorization);
    const [, file] = new RegExp(`^/org/tiny/resolve/${COMMIT}/(.+)$`).exec(path) ?? [];
    if (/^\/api\/models\/org\/tiny\/revision\/(main|v1)$/.test(path)) {
      json(response, { _id: '1', id: 'org/tiny', sha: COMMIT, lastModified: '2026-01-01T00:00:00.000Z' });
    } else if (path === `/api/models/org/tiny/tree/${COMMIT}`) {
      json(response, Object.entries(this.#files).map(treeEntry));
    } else if (file !== undefined && this.#files[file] !== undefined) {
      sendFile(request, response, file === this.corrupted ? 'not what was listed' : this.#files[file]);
    } else {
      response.statusCode = 404;
      json(response, { error: 'Repository not found' });
    }
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json; charset=utf-8').end(JSON.stringify(value));
}

function treeEntry([path, text]: [string, string]): unknown {
  const size = Buffer.byteLength(text);
  const oid = createHash('sha1').update(`blob ${size}\0${text}`).digest('hex');
  const lfs = { oid: createHash('sha256').update(text).digest('hex'), size, pointerSize: 130 };
  return { type: 'file', path, size, oid, ...(path.endsWith('.safetensors') ? { lfs } : {}) };
}

function sendFile(request: IncomingMessage, response: ServerResponse, text: string): void {
  const bytes = Buffer.from(text);
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  response.setHeader('etag', '"x"').setHeader('content-type', 'application/octet-stream');
  if (start === undefined) {
    response.end(bytes);
    return;
  }
  response.writeHead(206, { 'content-range': `bytes ${start}-${end}/${bytes.length}` });
  response.end(bytes.subarray(Number(start), Number(end) + 1));
}
