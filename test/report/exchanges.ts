/** Real requests to real servers, and what came back, as Markdown. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';

interface Request {
  readonly title: string;
  /** `METHOD /path` */
  readonly line: string;
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown;
  /** Shown instead of a long body. */
  readonly bodyText?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Cuts what is shown of a long answer. */
  readonly show?: (answer: string) => string;
}

const SHOWN_HEADERS = ['x-request-id', 'x-truncated', 'allow', 'retry-after', 'connection'];
const LONG_TEXT = 'It arrived on time and works as described. '.repeat(80).trim();

const DEFAULT_SERVER: readonly Request[] = [
  { title: 'One text', line: 'POST /predict', body: { text: 'I love this phone' } },
  {
    title: 'A batch, answered in its order',
    line: 'POST /predict',
    body: { texts: ['It broke after two days', 'I love this phone', 'It broke after two days'] },
  },
  { title: 'A batch of one is a batch', line: 'POST /predict', body: { texts: ['I love this phone'] } },
  {
    title: 'A text longer than max_length',
    line: 'POST /predict',
    body: { texts: ['Fine', LONG_TEXT] },
    bodyText: '{"texts":["Fine","It arrived on time and works as described. … 80 times"]}',
  },
  { title: 'Neighbours of a product', line: 'POST /recommend', body: { product_id: 'SKU-123', k: 3 } },
  { title: '`k` is 5 unless given', line: 'POST /recommend', body: { product_id: 'SKU-456' } },
  { title: 'Health', line: 'GET /healthz' },
  { title: 'Malformed JSON', line: 'POST /predict', body: '{"text": "I love' },
  { title: 'Neither text nor texts', line: 'POST /predict', body: {} },
  { title: 'Both', line: 'POST /predict', body: { text: 'a', texts: ['b'] } },
  { title: 'A blank text', line: 'POST /predict', body: { text: '  ' } },
  { title: 'No texts', line: 'POST /predict', body: { texts: [] } },
  { title: 'A wrong type within a batch', line: 'POST /predict', body: { texts: ['a', null] } },
  {
    title: 'Too many texts',
    line: 'POST /predict',
    body: { texts: new Array<string>(257).fill('a') },
    bodyText: '{"texts":["a", … 257 of them]}',
  },
  { title: 'An unknown key', line: 'POST /predict', body: { text: 'a', lang: 'en' } },
  { title: '`k` out of range', line: 'POST /recommend', body: { product_id: 'SKU-123', k: 101 } },
  { title: '`k` that is no integer', line: 'POST /recommend', body: { product_id: 'SKU-123', k: 2.5 } },
  { title: 'An unknown product', line: 'POST /recommend', body: { product_id: 'SKU-0' } },
  {
    title: 'A body over the cap',
    line: 'POST /predict',
    body: { text: 'a'.repeat(1 << 20) },
    bodyText: '{"text":"aaaa… 1 MiB of it"}',
  },
  {
    title: 'Another content type',
    line: 'POST /predict',
    body: 'text=a',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  },
  { title: 'An unknown path', line: 'GET /predictions' },
  { title: 'A known path by another method', line: 'GET /predict' },
  {
    title: 'Metrics (an extract)',
    line: 'GET /metrics',
    show: (text) => text.match(/^distilserve_http_requests_total\{.*$/gm)?.join('\n') ?? '',
  },
];

/** Runs long enough for a signal to arrive while it does, and ends well within the deadline on a busy machine. */
const IN_FLIGHT_TEXTS = 16;

let sent = 0;

/** Runs every exchange; the servers take their settings from the environment, as the README's table has them. */
export async function runExchanges(readme: string): Promise<{ exchanges: string; readme: string }> {
  sent = 0;
  const served = await withServer([], async (server) => {
    const text = await sequence(server, DEFAULT_SERVER);
    const line = server.logs.find((log) => log.request_id === 'report-1');
    const logged = `### The log line of the first exchange\n\n${fence(JSON.stringify(line))}`;
    const updated = await answerCurls(readme, server.url);
    return { text: [servedBy(server), text, logged, await stopInFlight(server)].join('\n\n'), updated };
  });
  const exchanges = [served.text, await storeAway(), await overload()].join('\n\n');
  return { exchanges, readme: served.updated };
}

async function withServer<T>(flags: readonly string[], work: (server: ServerProcess) => Promise<T>): Promise<T> {
  const server = await startServerProcess({ flags });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Fills in the answer under each `curl` line of the README. */
async function answerCurls(readme: string, url: string): Promise<string> {
  let updated = readme;
  const curls = /^( {4}curl -s localhost:8080(\/\S+) .*-d '(.+)'\n {4})(.+)$/gm;
  for (const [whole, command, path, body] of readme.matchAll(curls)) {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body!,
    });
    updated = updated.replace(whole, command + (await answer.text()));
  }
  return updated;
}

function servedBy({ logs }: ServerProcess): string {
  const start = logs.find((line) => line.url !== undefined)!;
  const names = ['model', 'model_digest', 'base_model', 'max_length', 'device', 'dtype', 'workers', 'store'];
  return `The server said of itself: ${names.map((name) => `${name} \`${start[name]}\``).join(', ')}.`;
}

async function sequence(server: ServerProcess, requests: readonly Request[]): Promise<string> {
  const parts: string[] = [];
  for (const request of requests) parts.push(await exchange(server, request));
  return parts.join('\n\n');
}

async function exchange({ url }: ServerProcess, request: Request): Promise<string> {
  const { title, line, body, bodyText, headers = {}, show = (text: string) => text } = request;
  const [method = '', path = ''] = line.split(' ');
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json', 'x-request-id': `report-${++sent}`, ...headers },
    ...(payload === undefined ? {} : { body: payload }),
  });
  const shown = SHOWN_HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null || value === 'keep-alive' ? [] : [`${name}: ${value}`];
  });
  const answer = show(await response.text());
  const asked = [line, bodyText ?? payload].filter((part) => part !== undefined);
  return `### ${title}\n\n${fence([...asked, '', `${response.status} ${response.statusText}`, ...shown, answer].join('\n'))}`;
}

async function stopInFlight(server: ServerProcess): Promise<string> {
  const answering = exchange(server, {
    title: `SIGTERM while ${IN_FLIGHT_TEXTS} long texts are in flight`,
    line: 'POST /predict',
    ...longBatch(IN_FLIGHT_TEXTS),
    show: (text) => `${text.slice(0, 80)} …`,
  });
  await sleep(50);
  const [shown, code] = await Promise.all([answering, server.stop()]);
  return `${shown}\n\nExit code of the server: ${code}.`;
}

function storeAway(): Promise<string> {
  // Nothing listens on port 9 of the loopback interface.
  return withServer(['--store', 'qdrant', '--qdrant-url', 'http://127.0.0.1:9'], (server) =>
    sequence(server, [
      { title: '`STORE=qdrant` and no Qdrant', line: 'POST /recommend', body: { product_id: 'SKU-123' } },
      { title: 'The same server predicts', line: 'POST /predict', body: { text: 'I love this phone' } },
    ]),
  );
}

function overload(): Promise<string> {
  return withServer(['--workers', '1', '--max-queue', '256', '--request-timeout-ms', '200'], async (server) => {
    const request = { line: 'POST /predict', ...longBatch(256) };
    const late = exchange(server, { title: 'Past the deadline (`REQUEST_TIMEOUT_MS=200`)', ...request });
    await sleep(50);
    const refused = exchange(server, { title: 'At the same time, beyond the queue (`MAX_QUEUE=256`)', ...request });
    return (await Promise.all([late, refused])).join('\n\n');
  });
}

function longBatch(count: number): { body: unknown; bodyText: string } {
  return { body: { texts: new Array<string>(count).fill(LONG_TEXT) }, bodyText: `{"texts":[ … ${count} long texts]}` };
}

function fence(text: string): string {
  return `\`\`\`\n${text.trimEnd()}\n\`\`\``;
}
