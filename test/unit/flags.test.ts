import { expect } from 'chai';
import { DistilserveError } from '../../src/domain/errors.js';
import { loadCatalogueConfig } from '../../train/lib/catalogue-flags.js';
import { integer, number, positive, readFlags, text, toggle } from '../../train/lib/flags.js';
import { PROJECT_ROOT } from '../helpers/fixtures.js';
import { runCommand } from '../helpers/programs.js';

const FLAGS = {
  data: text('reviews.jsonl', 'A file'),
  labelMap: text(undefined, 'A map'),
  batchSize: integer(16, 'Rows in a step', 1),
  lr: number(5e-5, 'Learning rate', 0),
  temperature: positive(1, 'A divisor'),
  warmup: number(0.1, 'A share', 0, 1),
  quiet: toggle('No words'),
};

function read(...argv: string[]) {
  return readFlags(FLAGS, argv);
}

function problems(...argv: string[]): string[] {
  try {
    read(...argv);
  } catch (error) {
    expect(error).to.be.instanceOf(DistilserveError).with.property('code', 'invalid_config');
    return (error as Error).message.split('\n');
  }
  return expect.fail(`Expected ${argv.join(' ')} to be refused`);
}

describe('loadCatalogueConfig()', () => {
  it("takes --products, and leaves the server's flags to the server's settings", () => {
    expect(loadCatalogueConfig([]).productsFile).to.equal('train/data/products.jsonl');
    for (const products of [['--products', 'own.csv'], ['--products=own.csv']]) {
      const { config, productsFile } = loadCatalogueConfig([
        '--encoder_dir=some/encoder',
        ...products,
        '--store-path',
        'own_products.store',
      ]);
      expect(productsFile).to.equal('own.csv');
      expect(config).to.include({ encoderDir: 'some/encoder', storePath: 'own_products.store' });
    }
  });

  for (const [argv, message] of [
    [['--products'], /--products.*''/],
    [['--products='], /--products.*''/],
    [['--products', '--store', 'embedded'], /--products.*''/],
    [['--product', 'own.csv'], /"--product"/],
    [['--store', 'own.csv'], /STORE|--store/],
    [['own.csv'], /"own\.csv"/],
  ] as const) {
    it(`refuses ${argv.join(' ')}`, () => {
      expect(() => loadCatalogueConfig(argv))
        .to.throw(message)
        .with.property('code', 'invalid_config');
    });
  }
});

describe('readFlags()', () => {
  it('gives the defaults where nothing is said', () => {
    expect(read()).to.deep.equal({
      data: 'reviews.jsonl',
      labelMap: undefined,
      batchSize: 16,
      lr: 5e-5,
      temperature: 1,
      warmup: 0.1,
      quiet: false,
    });
  });

  it('takes dashes and underscores in names, and = or a blank before the value', () => {
    for (const argv of [['--batch-size', '8'], ['--batch_size', '8'], ['--batch_size=8'], ['--batch-size=8']]) {
      expect(read(...argv).batchSize).to.equal(8);
    }
  });

  it('leaves underscores, dashes and = in values alone', () => {
    expect(read('--data', 'my_own-file.jsonl').data).to.equal('my_own-file.jsonl');
    expect(read('--data=my_own-file.jsonl').data).to.equal('my_own-file.jsonl');
    expect(read('--label_map', '__label__1=bad,__label__2=good').labelMap).to.equal('__label__1=bad,__label__2=good');
    expect(read('--label-map=0=bad_one,1=good').labelMap).to.equal('0=bad_one,1=good');
  });

  it('reads numbers as people write them', () => {
    expect(read('--lr', '3e-5', '--warmup', '0', '--quiet')).to.deep.include({ lr: 3e-5, warmup: 0, quiet: true });
  });

  const wrong: [string[], RegExp][] = [
    [['--batch-size', '0'], /integer from 1 .*--batch-size.*'0'/],
    [['--batch-size', '1.5'], /--batch-size.*'1.5'/],
    [['--batch-size', '8x'], /'8x'/],
    [['--batch-size', '99999999999'], /--batch-size/],
    [['--lr', '-1'], /at least 0 for --lr.*'-1'/],
    [['--lr', 'NaN'], /'NaN'/],
    [['--lr', 'fast'], /'fast'/],
    [['--lr', 'Infinity'], /'Infinity'/],
    [['--lr', ''], /--lr/],
    [['--lr'], /--lr/],
    [['--temperature', '0'], /a number above 0 for --temperature.*'0'/],
    [['--warmup', '1.1'], /from 0 to 1/],
    [['--data', ''], /--data/],
    [['--data', '--batch-size', '8'], /a text for --data .*''/],
    [['--quiet=no'], /--quiet/],
    [['stray'], /"stray"/],
    [['--bacth-size', '8'], /--bacth-size; did you mean --batch-size\?/],
    [['-b', '8'], /-b/],
  ];
  for (const [argv, message] of wrong) {
    it(`refuses ${argv.join(' ') || 'nothing'}`, () => {
      expect(problems(...argv)[0]).to.match(message);
    });
  }

  it('lists every problem at once', () => {
    expect(problems('--lr', 'x', '--batch-size=0', '--nonsense')).to.have.length(3);
  });

  it('prints every flag with its default for --help, and does nothing else', async () => {
    const { code, stdout, stderr } = await runCommand(process.execPath, [
      `${PROJECT_ROOT}dist/train/train.js`,
      '--help',
    ]);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    for (const name of ['--data', '--base', '--epochs', '--batch-size', '--lr', '--seed', '--out']) {
      expect(stdout).to.include(name);
    }
    expect(stdout).to.match(/--epochs +\S.*\(\d+(\.\d+)?\)/);
  });
});
