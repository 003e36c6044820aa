import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { addon } from '../../src/native/addon.js';
import type { ScriptModule } from '../../src/native/types.js';
import { type DistilBertRecord, readFixture, useSuiteDir } from '../helpers/fixtures.js';
import { expectClose, ragged } from '../helpers/tensors.js';
import { openOnCpu, thrown, tinyDistilBert, writeTinyDistilBert } from '../helpers/tiny-model.js';

const suite = useSuiteDir();
const record = readFixture<DistilBertRecord>('distilbert-tiny.json');
let file: string;
before(async () => {
  file = join(suite.dir, 'tiny.pt');
  await writeTinyDistilBert(file);
});

describe('ScriptModule with a batch that is wrong', () => {
  let model: ScriptModule;
  beforeEach(() => {
    model = openOnCpu(file);
  });
  afterEach(() => model.dispose());

  const VOCAB = 115;
  const wrongIds: [string, number[]][] = [
    ['below 0', [2, -1, 3]],
    ['one past the vocabulary', [2, VOCAB, 3]],
    ['of another model', [2, 30_521, 3]],
    ['at the end of the type', [2, 2 ** 31 - 1, 3]],
  ];
  for (const [what, row] of wrongIds) {
    it(`refuses an id ${what}, naming it`, () => {
      const { ids, offsets } = ragged([[2, 3], row]);
      for (const call of [() => model.logits(ids, offsets, 1), () => model.embed(ids, offsets, 1)]) {
        expect(thrown(call, 'invalid_argument')).to.include(String(row[1])).and.to.include('index 3');
      }
    });
  }

  it('takes the last id of the vocabulary and the longest row', () => {
    const { ids, offsets } = ragged([new Array<number>(64).fill(VOCAB - 1)]);
    expect(model.logits(ids, offsets, 1)).to.have.length(3);
  });

  it('refuses a row longer than the position embeddings', () => {
    const { ids, offsets } = ragged([[2, 3], new Array<number>(65).fill(5)]);
    expect(thrown(() => model.logits(ids, offsets, 1), 'invalid_argument'))
      .to.include('64')
      .and.to.include('65');
  });

  const wrongOffsets: [string, number[]][] = [
    ['that begin above 0', [1, 3]],
    ['that end before the ids', [0, 2]],
    ['that end after the ids', [0, 4]],
    ['that fall', [0, 3, 1, 3]],
    ['that run out of the ids and back', [0, 2 ** 31 - 1, 3]],
    ['below 0', [0, -1, 3]],
    ['with an empty row', [0, 3, 3]],
    ['of no row', [0]],
    ['without entries', []],
  ];
  for (const [what, offsets] of wrongOffsets) {
    it(`refuses offsets ${what}`, () => {
      const ids = Int32Array.from([2, 5, 3]);
      thrown(() => model.logits(ids, Int32Array.from(offsets), 1), 'invalid_argument');
    });
  }

  it('refuses other types, naming the argument', () => {
    const { ids, offsets } = ragged([[2, 5, 3]]);
    const logits = model.logits.bind(model) as (...args: unknown[]) => unknown;
    const classify = model.classify.bind(model) as (...args: unknown[]) => unknown;
    const cases: [() => unknown, string][] = [
      [() => logits(), 'threads'],
      [() => logits([2, 5, 3], offsets, 1), 'ids'],
      [() => logits(Float32Array.from(ids), offsets, 1), 'ids'],
      [() => logits(Int16Array.from(ids), offsets, 1), 'ids'],
      [() => logits(ids.buffer, offsets, 1), 'ids'],
      [() => logits(null, offsets, 1), 'ids'],
      [() => logits(ids, [0, 3], 1), 'offsets'],
      [() => logits(ids, Uint32Array.from(offsets), 1), 'offsets'],
      [() => logits(ids, offsets, '1'), 'threads'],
      [() => logits(ids, offsets, 0), 'threads'],
      [() => logits(ids, offsets, 1.5), 'threads'],
      [() => logits(ids, offsets, Number.NaN), 'threads'],
      [() => logits(ids, offsets, 2 ** 32 + 1), 'threads'],
      [() => classify(ids, offsets, 0, 1), 'temperature'],
      [() => classify(ids, offsets, Number.NaN, 1), 'temperature'],
      [() => classify(ids, offsets, '1', 1), 'temperature'],
    ];
    for (const [call, name] of cases) expect(thrown(call, 'invalid_argument')).to.include(name);
  });

  it('answers the next batch as if nothing had happened', () => {
    const wrong = ragged([[2, VOCAB, 3]]);
    thrown(() => model.logits(wrong.ids, wrong.offsets, 1), 'invalid_argument');
    const { ids, offsets } = ragged(record.ids);
    expectClose(model.logits(ids, offsets, 1), record.logits.flat(), 1e-5);
  });
});

describe('ScriptModule#dispose()', () => {
  it('may be called twice, and makes every later call throw disposed', () => {
    const model = openOnCpu(file);
    model.dispose();
    model.dispose();
    const { ids, offsets } = ragged([[2, 5, 3]]);
    for (const call of [
      () => model.logits(ids, offsets, 1),
      () => model.classify(ids, offsets, 1, 1),
      () => model.embed(ids, offsets, 1),
      () => model.limits,
    ]) {
      expect(thrown(call, 'disposed')).to.include('dispose()');
    }
  });

  it('leaves another instance of the same file in use', () => {
    const [first, second] = [openOnCpu(file), openOnCpu(file)];
    first.dispose();
    const { ids, offsets } = ragged(record.ids);
    expectClose(second.logits(ids, offsets, 1), record.logits.flat(), 1e-5);
  });
});

describe('new ScriptModule() with a file that is wrong', () => {
  it('says model_missing where there is none', () => {
    const path = join(suite.dir, 'absent.pt');
    expect(thrown(() => openOnCpu(path), 'model_missing')).to.include(path);
  });

  it('says model_invalid for what is no TorchScript', () => {
    const folder = join(suite.dir, 'folder.pt');
    mkdirSync(folder);
    const [empty, text] = [join(suite.dir, 'empty.pt'), join(suite.dir, 'text.pt')];
    writeFileSync(empty, '');
    writeFileSync(text, 'not a model '.repeat(1000));
    for (const path of [folder, empty, text]) expect(thrown(() => openOnCpu(path), 'model_invalid')).to.include(path);
  });

  for (const share of [0.01, 0.5, 0.9, 0.999]) {
    it(`says model_invalid for one cut to ${share * 100} %`, () => {
      const bytes = readFileSync(file);
      const path = join(suite.dir, `cut-${share}.pt`);
      writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length * share)));
      expect(thrown(() => openOnCpu(path), 'model_invalid')).to.include(path);
    });
  }

  it('takes up a file that replaced another under the same name', () => {
    const path = join(suite.dir, 'replaced.pt');
    writeFileSync(path, 'not a model');
    thrown(() => openOnCpu(path), 'model_invalid');
    copyFileSync(file, path);
    const { ids, offsets } = ragged(record.ids);
    expectClose(openOnCpu(path).logits(ids, offsets, 1), record.logits.flat(), 1e-5);
  });

  it('refuses other arguments', () => {
    const Constructor = addon().ScriptModule as unknown as new (...args: unknown[]) => unknown;
    expect(thrown(() => new Constructor(), 'invalid_argument')).to.include('path');
    expect(thrown(() => new Constructor(file, undefined, 'float32'), 'invalid_argument')).to.include('device');
    expect(thrown(() => new Constructor(file, 'cpu'), 'invalid_argument')).to.include('dtype');
  });
});

describe('writeModel()', () => {
  it('says which tensor is missing, unknown, misshapen, twice there or not finite', async () => {
    const { architecture, weights } = await tinyDistilBert();
    const path = join(suite.dir, 'never.pt');
    const first = weights.find(({ name }) => name.endsWith('layer.0.attention.q_lin.weight'))!;
    const others = weights.filter((tensor) => tensor !== first);
    const cases: [typeof weights, string][] = [
      [others, first.name],
      [[...weights, { ...first, name: 'distilbert.extra' }], 'distilbert.extra'],
      [[...others, { ...first, shape: [16, 64] }], first.name],
      [[...weights, first], first.name],
      [[...others, { ...first, end: first.end + 2 ** 40, shape: [2 ** 40] }], first.name],
      [[...others, { ...first, dtype: 'I64', shape: [32, 16] }], 'I64'],
    ];
    for (const [sources, name] of cases) {
      expect(thrown(() => addon().writeModel(architecture, sources, 0, path), 'model_invalid')).to.include(name);
    }
  });

  it('refuses an architecture that does not fit together', async () => {
    const { architecture, weights } = await tinyDistilBert();
    const path = join(suite.dir, 'never.pt');
    const wrong: [object, string][] = [
      [{ nHeads: 5 }, 'n_heads'],
      [{ nLayers: 0 }, 'n_layers'],
      [{ activation: 'swish' }, 'swish'],
      [{ numLabels: -1 }, 'num_labels'],
      [{ dim: '32' }, 'dim'],
    ];
    for (const [change, name] of wrong) {
      const changed = { ...architecture, ...change } as typeof architecture;
      expect(thrown(() => addon().writeModel(changed, weights, 0, path), 'invalid_argument')).to.include(name);
    }
  });
});
