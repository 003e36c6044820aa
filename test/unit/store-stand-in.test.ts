import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { QdrantDocument } from '../helpers/qdrant-document.js';
import { QdrantState } from '../helpers/qdrant-state.js';

const RECORDED = '../shared/qdrant/recorded';

interface Recorded {
  readonly request: { method: string; path: string; body?: unknown };
  readonly response: { status: number; body: unknown };
}

// Calls that the store never makes, and refusals of a JSON that our client cannot write.
const BEYOND =
  /version|healthz|readyz|payload-index|malformed|bad-distance|retrieve|scroll|filter|exclude-ids|recommend|mmr|batch|44-collection-aliases|delete-points|count-after-delete|unknown-route|method-not-allowed|api-key/;

describe('QdrantStandIn', () => {
  before(function skipWithoutRecordings() {
    if (existsSync(RECORDED)) return;
    console.log(`    skipped: ${RECORDED} (exchanges with a real Qdrant) is not there`);
    this.skip();
  });

  it('answers as the recorded Qdrant did', () => {
    const state = new QdrantState();
    const compared = recordings().filter(([name]) => !BEYOND.test(name));
    for (const [name, { request, response }] of compared) {
      const answer = state.answer(request.method, request.path, request.body);
      expect(answer.status, name).to.equal(response.status);
      expect(comparable(answer.body), name).to.deep.equal(comparable(response.body));
    }
    expect(compared).to.have.lengthOf(30);
  });

  it('has a document that allows what was recorded and refuses what it does not know', function checkDocument() {
    const document = QdrantDocument.load();
    if (document === undefined) return this.skip();
    for (const [name, { request, response }] of recordings()) {
      if (response.status !== 200 || typeof response.body === 'string') continue;
      const exchange = {
        method: request.method,
        path: request.path,
        requestBody: request.body ?? undefined,
        status: 200,
        responseBody: response.body,
      };
      expect(document.problem(exchange), name).to.equal(undefined);
    }
    const query = { method: 'POST', path: '/collections/p/points/query', status: 404, responseBody: {} };
    const search = { ...query, path: '/collections/p/points/search2' };
    expect(document.problem({ ...query, requestBody: { query: 'x', limit: 0 } })).to.match(/limit must be >= 1/);
    expect(document.problem({ ...query, requestBody: { query: 'x', limits: 3 } })).to.match(/additional properties/);
    expect(document.problem({ ...query, path: `${query.path}?wait=true`, requestBody: {} })).to.match(/wait/);
    expect(document.problem({ ...search, requestBody: {} })).to.match(/not in the document/);
  });
});

function recordings(): [string, Recorded][] {
  return readdirSync(RECORDED)
    .sort()
    .map((name) => [name, JSON.parse(readFileSync(join(RECORDED, name), 'utf8')) as Recorded]);
}

/** Without times and counters, which differ from run to run. */
function comparable(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (key, value: unknown) => {
      if (key === 'time' || key === 'operation_id' || key === 'version') return undefined;
      if (key === 'score') return Number((value as number).toFixed(6));
      return value;
    }),
  );
}
