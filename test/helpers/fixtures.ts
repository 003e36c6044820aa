import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root: compiled tests lie in dist/test/helpers. */
export const PROJECT_ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Path of a file or folder under test/fixtures, all of it made by make_fixtures.py there. */
export function fixture(name: string): string {
  return join(PROJECT_ROOT, 'test/fixtures', name);
}

export function readFixtureText(name: string): string {
  return readFileSync(fixture(name), 'utf8');
}

export function readFixture<T>(name: string): T {
  return JSON.parse(readFixtureText(name)) as T;
}

/** distilbert-tiny.json: what Hugging Face's DistilBertForSequenceClassification gave for each text alone. */
export interface DistilBertRecord {
  readonly texts: readonly string[];
  readonly ids: readonly number[][];
  readonly idsCutTo12: readonly number[][];
  /** 0 to 2, of our own choosing. */
  readonly labels: readonly number[];
  /** [texts, 3] */
  readonly logits: readonly number[][];
  /** Masked mean of the last hidden state, L2-normalised: [texts, 32] */
  readonly embeddings: readonly number[][];
}

/** bert-tiny.json: the same of a BertModel; `cls` is the last hidden state on the first token. */
export interface BertRecord {
  readonly texts: readonly string[];
  readonly ids: readonly number[][];
  readonly cls: readonly number[][];
  readonly embeddings: readonly number[][];
}

/** minilm.json: the same of all-MiniLM-L6-v2 (`cls` of the first three texts), and ids of texts hard to tokenize. */
export interface MiniLmRecord extends BertRecord {
  readonly hard: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

/** One directory for all tests of the surrounding `describe` or file; `dir` is there from `before` on. */
export function useSuiteDir(): { readonly dir: string } {
  const state = { dir: '' };
  before(() => {
    state.dir = mkdtempSync(join(tmpdir(), 'distilserve-suite-'));
  });
  after(() => rmSync(state.dir, { recursive: true, force: true }));
  return state;
}
