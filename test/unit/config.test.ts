import { expect } from 'chai';
import { loadConfig, settingsTable } from '../../src/config.js';
import { DistilserveError } from '../../src/domain/errors.js';

function problemsOf(argv: readonly string[], env: Record<string, string> = {}): string[] {
  try {
    loadConfig(argv, env);
  } catch (error) {
    expect(error).to.be.instanceOf(DistilserveError).with.property('code', 'invalid_config');
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('loadConfig()', () => {
  it('gives documented defaults for nothing', () => {
    const config = loadConfig([], {});
    expect(config).to.include({ host: '127.0.0.1', port: 8080, modelDir: 'models/sentiment', store: 'embedded' });
    expect(config).to.include({ device: 'auto', dtype: 'auto', qdrantUrl: undefined, maxQueue: 2048 });
    expect(config.workers).to.be.at.least(1);
    expect(config).to.include({ modelDirGiven: false, encoderDirGiven: false, storePathGiven: false });
  });

  it('is frozen', () => {
    expect(loadConfig([], {})).to.satisfy(Object.isFrozen);
  });

  it('prefers a flag to the environment and the environment to the default', () => {
    const config = loadConfig(['--port', '1111'], { PORT: '2222', WORKERS: '3' });
    expect(config).to.include({ port: 1111, workers: 3 });
  });

  it('takes underscores for dashes in names, never in values', () => {
    expect(loadConfig(['--model_dir=my_model'], {}).modelDir).to.equal('my_model');
  });

  it('counts an empty variable as not set', () => {
    expect(loadConfig([], { PORT: '', MODEL_DIR: '' })).to.include({ port: 8080, modelDirGiven: false });
  });

  it('tells which paths were given, those equal to the default too', () => {
    const config = loadConfig(['--encoder-dir', 'models/encoder'], {
      MODEL_DIR: 'models/sentiment',
      STORE_PATH: 'data/products.store',
    });
    expect(config).to.include({ modelDirGiven: true, encoderDirGiven: true, storePathGiven: true });
  });

  it('reports every problem at once, each naming its setting', () => {
    const problems = problemsOf(['--port=99999', '--workers'], { STORE: 'qdrnt', DEVICE: 'cuda', MAX_QUEUE: '255' });
    expect(problems).to.have.lengthOf(5);
    for (const name of ['--port', '--workers', 'STORE', 'DEVICE', 'MAX_QUEUE']) {
      expect(problems.filter((problem) => problem.includes(name))).to.have.lengthOf(1);
    }
  });

  for (const text of ['1.5', '-1', '1e3', '0x10', ' 80', 'eighty', '65536']) {
    it(`refuses the port ${JSON.stringify(text)}`, () => {
      expect(problemsOf([], { PORT: text })[0])
        .to.include('PORT')
        .and.include(JSON.stringify(text));
    });
  }

  it('names the nearest flag for an unknown one', () => {
    expect(problemsOf(['--prot', '1'])).to.deep.equal([
      'Expected a known flag but received "--prot"; did you mean --port?',
    ]);
  });

  it('refuses a flag given twice and a word that is no flag', () => {
    expect(problemsOf(['--port', '1', '--port', '2'])[0]).to.include('more than once');
    expect(problemsOf(['serve'])[0]).to.include('"serve"');
  });

  it('asks for QDRANT_URL with STORE=qdrant', () => {
    expect(problemsOf([], { STORE: 'qdrant' })[0]).to.include('QDRANT_URL');
    expect(loadConfig([], { STORE: 'qdrant', QDRANT_URL: 'http://127.0.0.1:6333' }).store).to.equal('qdrant');
  });

  it('never repeats a secret in a message', () => {
    const problems = problemsOf(['--qdrant-api-kye', 'hunter2'], { QDRANT_URL: 'http://me:hunter2@host' });
    expect(problems).to.have.lengthOf(2);
    expect(problems.join()).not.to.include('hunter2');
  });
});

describe('loadConfig() of QDRANT_API_KEY', () => {
  for (const [title, key] of [
    ['a line break', 'hunter2\nhunter2'],
    ['a blank at its end', 'hunter2 '],
    ['a letter beyond ASCII', 'hünter2'],
  ] as const) {
    it(`refuses one with ${title}, which no header can carry, without repeating it`, () => {
      const problems = problemsOf([], { QDRANT_API_KEY: key }).join('\n');
      expect(problems).to.include('Expected QDRANT_API_KEY to be visible ASCII characters');
      expect(problems).not.to.match(/h[uü]nter2/);
    });
  }

  it('takes every visible character of ASCII', () => {
    const key = String.fromCharCode(...Array.from({ length: 0x7e - 0x20 }, (_, index) => 0x21 + index));
    expect(loadConfig([], { QDRANT_API_KEY: key }).qdrantApiKey).to.equal(key);
  });
});

describe('settingsTable()', () => {
  it('has a row for every setting, with its flag and its default', () => {
    const table = settingsTable();
    const { modelDirGiven, encoderDirGiven, storePathGiven, ...settings } = loadConfig([], {});
    expect([modelDirGiven, encoderDirGiven, storePathGiven]).to.deep.equal([false, false, false]);
    expect(table.trimEnd().split('\n')).to.have.lengthOf(2 + Object.keys(settings).length);
    expect(table).to.include('| `PORT` | `--port` | `8080` | an integer, 0 to 65535 |');
  });
});
