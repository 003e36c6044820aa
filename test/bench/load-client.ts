import { Agent, request } from 'node:http';

export interface LoadAnswer {
  readonly status: number;
  readonly body: string;
}

/** Posts JSON over connections that stay open; at most `connections` requests are on their way at a time. */
export class LoadClient {
  readonly #agent: Agent;

  constructor(
    private readonly url: string,
    connections: number,
  ) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  post(path: string, value: unknown): Promise<LoadAnswer> {
    const payload = Buffer.from(JSON.stringify(value));
    const headers = { 'content-type': 'application/json', 'content-length': payload.length };
    return new Promise((resolve, reject) => {
      const sent = request(this.url + path, { method: 'POST', agent: this.#agent, headers }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(payload);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
