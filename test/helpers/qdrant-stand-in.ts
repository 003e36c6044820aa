/** A real HTTP server on loopback that answers as Qdrant 1.18 does, for the calls that the store makes. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { QdrantDocument } from './qdrant-document.js';
import { type Answer, QdrantState } from './qdrant-state.js';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly apiKey: string | undefined;
}

/** What happens to a request instead of an answer. */
export type Fault =
  | { readonly kind: 'drop' }
  | { readonly kind: 'delay'; readonly ms: number }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      readonly headers?: Record<string, string>;
    };

export class QdrantStandIn {
  readonly seen: SeenRequest[] = [];
  /** Every exchange that Qdrant's own document does not allow. */
  readonly problems: string[] = [];
  readonly state = new QdrantState();
  apiKey: string | undefined;
  fault: (request: SeenRequest) => Fault | undefined = () => undefined;
  readonly #document = QdrantDocument.load();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.problems.push(String(error));
        response.destroy();
      });
    });
  }

  static async start(): Promise<QdrantStandIn> {
    const standIn = new QdrantStandIn();
    standIn.#server.listen(0, '127.0.0.1');
    await once(standIn.#server, 'listening');
    return standIn;
  }

  /** Whether Qdrant's document is there to check the exchanges with. */
  get checked(): boolean {
    return this.#document !== undefined;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      body: text === '' ? undefined : JSON.parse(text),
      apiKey: request.headers['api-key']?.toString(),
    };
    this.seen.push(seen);
    const fault = this.fault(seen);
    if (fault?.kind === 'drop') {
      response.destroy();
      return;
    }
    if (fault?.kind === 'answer') {
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers }).end(fault.body);
      return;
    }
    if (fault?.kind === 'delay') await sleep(fault.ms);
    this.#send(response, this.#answer(seen));
  }

  #answer(seen: SeenRequest): Answer {
    if (this.apiKey !== undefined && seen.apiKey !== this.apiKey) {
      const text =
        seen.apiKey === undefined
          ? 'Must provide an API key or an Authorization bearer token'
          : 'Invalid API key or JWT';
      return { status: 401, body: text };
    }
    const answer = this.state.answer(seen.method, seen.path, seen.body);
    const problem = this.#document?.problem({
      method: seen.method,
      path: seen.path,
      requestBody: seen.body,
      status: answer.status,
      responseBody: answer.body,
    });
    if (problem !== undefined) this.problems.push(problem);
    return answer;
  }

  #send(response: ServerResponse, { status, body }: Answer): void {
    const plain = typeof body === 'string';
    response.writeHead(status, { 'content-type': plain ? 'text/plain' : 'application/json' });
    response.end(plain ? body : JSON.stringify(body));
  }
}
