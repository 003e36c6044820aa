import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadCatalogueConfig } from '../../train/lib/catalogue-flags.js';
import { nearestShare, randomShare } from '../../train/lib/category-share.js';
import { productText, readProducts } from '../../train/lib/products.js';
import { termCosine, tfIdf } from '../../train/lib/tf-idf.js';
import { rejection } from '../helpers/rejection.js';

const GOOD = '{"id":"007","name":"Mug","description":"Holds tea.","category":"Tea","brand":"Ö","price":4.5,"stock":3}';
const PLAIN = '{"id":"7","name":"Cup","description":"Holds coffee."}';

describe('readProducts()', () => {
  let dir: string;
  let file: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'distilserve-products-'));
    file = join(dir, 'products.jsonl');
  });

  afterEach(() => rm(dir, { recursive: true }));

  it('reads products as they are, without fields it does not know', async () => {
    await writeFile(file, `${GOOD}\r\n\n${PLAIN}`);
    expect(await readProducts(file)).to.deep.equal([
      { id: '007', name: 'Mug', description: 'Holds tea.', category: 'Tea', brand: 'Ö', price: 4.5 },
      { id: '7', name: 'Cup', description: 'Holds coffee.' },
    ]);
  });

  const bad: [string, string, RegExp][] = [
    ['bad JSON', '{"id":', /JSON/],
    ['no object', '["id"]', /object/],
    ['an id twice', GOOD, /"007" is in line 1 too/],
    ['a number as id', PLAIN.replace('"7"', '7'), /id to be a text/],
    ['an empty id', PLAIN.replace('"7"', '""'), /id to be a text/],
    ['a blank id', PLAIN.replace('"7"', '" "'), /id to be a text.*not blank/],
    ['an id of 257 characters', PLAIN.replace('7', 'x'.repeat(257)), /id to be a text.*256/],
    ['half a surrogate pair as id', PLAIN.replace('"7"', '"\\ud800"'), /id to be a text of valid Unicode/],
    ['no description', PLAIN.replace('"description"', '"describtion"'), /description.*nothing/],
    ['a blank name', PLAIN.replace('Cup', ' '), /name.*blank/],
    ['a category that is no text', PLAIN.replace('}', ',"category":1}'), /category/],
    ['a price as text', PLAIN.replace('}', ',"price":"4.50"}'), /price.*"4\.50"/],
    ['a negative price', PLAIN.replace('}', ',"price":-1}'), /price/],
  ];
  for (const [what, line, message] of bad) {
    it(`names file and line of ${what}`, async () => {
      await writeFile(file, `${GOOD}\n\n${line}\n`);
      const error = await rejection(readProducts(file));
      expect(error).to.have.property('code', 'data_invalid');
      expect(error.message).to.match(message).and.contain(`${file}:3: `);
    });
  }

  for (const [ext, comma] of [
    ['csv', ','],
    ['tsv', '\t'],
  ] as const) {
    it(`reads prices of a .${ext}, and its empty cells as missing`, async () => {
      const table = join(dir, `products.${ext}`);
      const rows = [
        ['id', 'name', 'description', 'category', 'brand', 'price'],
        ['007', 'Mug', 'Holds tea.', 'Tea', 'Acme', '9.99'],
        ['7', 'Cup', 'Holds coffee.', '', ' ', ''],
      ];
      await writeFile(table, rows.map((row) => row.join(comma)).join('\n'));
      expect(await readProducts(table)).to.deep.equal([
        { id: '007', name: 'Mug', description: 'Holds tea.', category: 'Tea', brand: 'Acme', price: 9.99 },
        { id: '7', name: 'Cup', description: 'Holds coffee.' },
      ]);
    });
  }

  for (const price of ['9.99 EUR', '-1', 'Infinity']) {
    it(`refuses ${price} as price in a .csv`, async () => {
      const table = join(dir, 'products.csv');
      await writeFile(table, `id,name,description,price\n7,Cup,Holds coffee.,${price}\n`);
      const error = await rejection(readProducts(table));
      expect(error).to.have.property('code', 'data_invalid');
      expect(error.message)
        .to.match(/price to be a number/)
        .and.contain(`${table}:2: `);
    });
  }

  it('refuses a file without products, and one that is not there', async () => {
    await writeFile(file, '\n');
    expect(await rejection(readProducts(file))).to.have.property('code', 'data_invalid');
    expect(await rejection(readProducts(join(dir, 'none.jsonl')))).to.have.property('code', 'data_invalid');
  });
});

describe('productText()', () => {
  it('has name and description, and not the category', () => {
    const product = { id: 'a', name: 'Mug', description: 'Holds it.', category: 'Tea', brand: 'Acme', price: 1 };
    expect(productText(product)).to.equal('Mug. Holds it.');
  });
});

describe('tfIdf()', () => {
  it('gives unit vectors of smoothed weights', () => {
    const [a, b, c] = tfIdf(['Tea pot, tea cup', 'coffee CUP', 'über 2']);
    // tea: 2 x (ln(4/2) + 1), pot: ln(4/2) + 1, cup: ln(4/3) + 1
    const [tea, pot, cup] = [2 * (Math.log(2) + 1), Math.log(2) + 1, Math.log(4 / 3) + 1];
    const norm = Math.hypot(tea, pot, cup);
    expect(a!.get('tea')).to.be.closeTo(tea / norm, 1e-12);
    expect(termCosine(a!, a!)).to.be.closeTo(1, 1e-12);
    expect(termCosine(a!, b!)).to.be.closeTo((cup / norm) * (cup / Math.hypot(cup, pot)), 1e-12);
    expect(termCosine(a!, c!)).to.equal(0);
    expect([...c!.keys()]).to.deep.equal(['über', '2']);
  });
});

describe('nearestShare() and randomShare()', () => {
  const products = [...'aaabbb'].map((category, at) => ({ id: `p${at}`, name: 'n', description: 'd', category }));

  it('counts the nearest of the same category, never the product itself', () => {
    const byPosition = (a: number, b: number): number => -Math.abs(a - b);
    // Nearest two by position, ties by id: p0: 1 2 | p1: 0 2 | p2: 1 3 | p3: 2 4 | p4: 3 5 | p5: 4 3
    expect(nearestShare(products, 2, byPosition)).to.be.closeTo((1 + 1 + 0.5 + 0.5 + 1 + 1) / 6, 1e-12);
  });

  it('expects (size - 1) / (all - 1) of random ones, and draws near it', () => {
    const many = Array.from({ length: 400 }, (_, at) => ({ ...products[0]!, id: `p${at}`, category: `c${at % 4}` }));
    const { expected, drawn } = randomShare(many, 5, 42);
    expect(expected).to.be.closeTo(99 / 399, 1e-12);
    expect(drawn).to.be.closeTo(expected, 0.04);
    expect(randomShare(many, 5, 42).drawn).to.equal(drawn);
    expect(randomShare(many, 5, 43).drawn).not.to.equal(drawn);
    expect(randomShare(products, 5, 1).drawn).to.be.closeTo(0.4, 1e-12);
  });
});

describe('loadCatalogueConfig()', () => {
  it('takes --products beside the settings', () => {
    const { config, productsFile } = loadCatalogueConfig([
      '--store-path',
      'x',
      '--products',
      'a=b.jsonl',
      '--port',
      '1',
    ]);
    expect([productsFile, config.storePath, config.port]).to.deep.equal(['a=b.jsonl', 'x', 1]);
    expect(loadCatalogueConfig(['--products=a=b.jsonl']).productsFile).to.equal('a=b.jsonl');
    expect(loadCatalogueConfig([]).productsFile).to.equal('train/data/products.jsonl');
  });

  it('refuses --products without a file, and unknown flags', () => {
    for (const argv of [['--products'], ['--products='], ['--products', '--port', '1'], ['--product', 'x']]) {
      expect(() => loadCatalogueConfig(argv), argv.join(' '))
        .to.throw()
        .with.property('code', 'invalid_config');
    }
  });
});
