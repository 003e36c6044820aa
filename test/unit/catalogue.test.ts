import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { PROJECT_ROOT } from '../../src/setup/native-addon.js';
import { readProducts } from '../../train/lib/products.js';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly brand: string;
  readonly price: number;
}

const FILE = join(PROJECT_ROOT, 'train/data/products.jsonl');
const KEYS = ['id', 'name', 'description', 'category', 'brand', 'price'];
const RUN = 6;
const MAX_ROWS_WITH_A_RUN = 3;

describe('train/data/products.jsonl', () => {
  let rows: Row[];

  before(async () => {
    rows = (await readFile(FILE, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
  });

  it('is read whole by readProducts(), which refuses an id that comes twice', async () => {
    expect(await readProducts(FILE)).to.deep.equal(rows);
  });

  it('has at least 400 products of at least 20 categories', () => {
    expect(rows.length).to.be.at.least(400);
    expect(new Set(rows.map(({ category }) => category)).size).to.be.at.least(20);
  });

  it('has the ids that the documentation asks for, and every id begins with SKU-', () => {
    expect(rows.map(({ id }) => id)).to.include.members(['SKU-123', 'SKU-456', 'SKU-789']);
    expect(rows.filter(({ id }) => !/^SKU-\d+$/.test(id))).to.deep.equal([]);
  });

  it('has the same keys in every row, and a positive price', () => {
    expect(rows.filter((row) => Object.keys(row).join() !== KEYS.join())).to.deep.equal([]);
    expect(rows.filter(({ price }) => !(price > 0))).to.deep.equal([]);
  });

  it('names and describes every product differently', () => {
    expect(repeated(rows.map(({ name }) => name.toLowerCase()))).to.deep.equal([]);
    expect(repeated(rows.map(({ description }) => description.toLowerCase()))).to.deep.equal([]);
  });

  it('has no name built from its category, or the nearest neighbours would be given away', () => {
    const builtFrom = ({ name, category }: Row): boolean =>
      words(category).some((word) => words(name).some((of) => of.startsWith(stem(word))));
    expect(rows.filter(builtFrom).map(({ category, name }) => `${category}: ${name}`)).to.deep.equal([]);
  });

  it('mixes the categories over the ids', () => {
    const follows = rows.filter(({ category }, at) => rows[at - 1]?.category === category);
    expect(follows.map(({ id }) => id)).to.deep.equal([]);
  });

  it(`is not filled from templates: no ${RUN} words in a row in more than ${MAX_ROWS_WITH_A_RUN} products`, () => {
    const runs = rows.flatMap(({ description }) => {
      const all = words(description);
      return [...new Set(all.slice(RUN - 1).map((_, at) => all.slice(at, at + RUN).join(' ')))];
    });
    const counts = new Map<string, number>();
    for (const run of runs) counts.set(run, (counts.get(run) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > MAX_ROWS_WITH_A_RUN)).to.deep.equal([]);
  });
});

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Without its ending, so that Camping finds camp, Supplies supply and Watches watch. */
function stem(word: string): string {
  return word.replace(/(ies|ing|es|s)$/u, '');
}

function repeated(texts: readonly string[]): string[] {
  return texts.filter((text, at) => texts.indexOf(text) !== at);
}
