import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { loadDataset } from '../../train/lib/dataset.js';
import { parseLabelMap, readExamples } from '../../train/lib/examples.js';
import { readRows } from '../../train/lib/rows.js';
import { fixture } from '../helpers/fixtures.js';
import { rejection } from '../helpers/rejection.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();

function write(name: string, content: string | Buffer): string {
  const file = join(scratch.dir, name);
  writeFileSync(file, content);
  return file;
}

async function fieldsOf(file: string): Promise<[number, unknown][]> {
  const rows: [number, unknown][] = [];
  for await (const { line, fields } of readRows(file)) rows.push([line, { ...fields }]);
  return rows;
}

const COLUMNS = { textColumn: 'text', labelColumn: 'label', labelMap: undefined };

describe('readRows()', () => {
  const EXPECTED = [
    { text: 'good', label: '1' },
    { text: 'bad', label: '0' },
  ];
  const contents: [string, string][] = [
    ['rows.jsonl', '{"text":"good","label":"1"}\n{"text":"bad","label":"0"}\n'],
    ['rows.csv', 'text,label\ngood,1\nbad,0\n'],
    ['rows.tsv', 'text\tlabel\ngood\t1\nbad\t0\n'],
  ];
  for (const [name, content] of contents) {
    for (const [what, bytes, suffix] of [
      ['', content, ''],
      [' with a BOM and CRLF', `\ufeff${content.replaceAll('\n', '\r\n')}`, ''],
      [' without a last line break', content.slice(0, -1), ''],
      [' compressed', gzipSync(content), '.gz'],
    ] as const) {
      it(`reads ${name}${suffix}${what}`, async () => {
        const rows = await fieldsOf(write(name + suffix, bytes));
        expect(rows.map(([, fields]) => fields)).to.deep.equal(EXPECTED);
        const first = name.endsWith('jsonl') ? 1 : 2;
        expect(rows.map(([line]) => line)).to.deep.equal([first, first + 1]);
      });
    }
  }

  it('reads quotes, commas and line breaks within a quoted field of a csv', async () => {
    const file = write('rows.csv', 'text,label\n"a ""fine"" one, really\nyes",1\nplain,0\n');
    expect(await fieldsOf(file)).to.deep.equal([
      [3, { text: 'a "fine" one, really\nyes', label: '1' }],
      [4, { text: 'plain', label: '0' }],
    ]);
  });

  for (const [name, header] of [
    ['rows.csv', 'text,label'],
    ['rows.tsv', 'text\tlabel'],
  ] as const) {
    it(`takes all line endings within one file, ${name}`, async () => {
      const row = header.replace('text', 'good').replace('label', '1');
      const file = write(name, `${header}\n${row}\r\n${row}\n${row}\r${row}`);
      expect((await fieldsOf(file)).map(([, fields]) => fields)).to.deep.equal(
        Array.from({ length: 4 }, () => ({ text: 'good', label: '1' })),
      );
    });
  }

  it('takes quotes in a tsv as they are', async () => {
    const file = write('rows.tsv', 'text\tlabel\n"Great" they said\t1\na 5" screen\t0\n');
    expect((await fieldsOf(file)).map(([, fields]) => fields)).to.deep.equal([
      { text: '"Great" they said', label: '1' },
      { text: 'a 5" screen', label: '0' },
    ]);
  });

  const bad: [string, string, string | Buffer, RegExp][] = [
    ['a line that is no JSON', 'x.jsonl', '{"text":"a"}\n\n{"text":\n', /x\.jsonl:3: .*JSON/],
    ['a line that is no object', 'x.jsonl', '{"text":"a"}\n["b"]\n', /x\.jsonl:2: /],
    ['a row with a field too many', 'x.csv', 'text,label\na,1\nb,2,3\n', /x\.csv.*line 3/],
    ['a row with a field too few', 'x.csv', 'text,label\na\n', /x\.csv.*line 2/],
    ['a column name twice', 'x.csv', 'text,text\na,1\n', /x\.csv:1: .*'text'/],
    ['a quote that never ends', 'x.csv', 'text,label\n"a,1\nb,0\n', /x\.csv/],
    ['bytes that are no UTF-8', 'x.jsonl', Buffer.from('{"text":"caf\xe9"}', 'latin1'), /x\.jsonl/],
    ['a .gz that is none', 'x.jsonl.gz', '{"text":"a"}', /x\.jsonl\.gz/],
    ['a .gz that is cut', 'x.jsonl.gz', gzipSync('{"text":"a"}\n'.repeat(500)).subarray(0, -12), /x\.jsonl\.gz/],
    ['another kind of file', 'x.parquet', '', /\.jsonl, \.csv or \.tsv/],
  ];
  for (const [what, name, content, message] of bad) {
    it(`names file and place of ${what}`, async () => {
      expect((await rejection(fieldsOf(write(name, content)), 'data_invalid')).message).to.match(message);
    });
  }

  it('names a file that is not there', async () => {
    const file = join(scratch.dir, 'absent.csv');
    expect((await rejection(fieldsOf(file), 'data_invalid')).message).to.include(file);
  });
});

describe('readExamples()', () => {
  it('takes other columns, and numbers as labels', async () => {
    const file = write('x.jsonl', '{"review":"good","stars":5}\n{"review":"bad","stars":"1"}\n');
    const { examples, unmapped } = await readExamples(file, {
      textColumn: 'review',
      labelColumn: 'stars',
      labelMap: undefined,
    });
    expect(examples.map(({ text, label }) => [text, label])).to.deep.equal([
      ['good', '5'],
      ['bad', '1'],
    ]);
    expect(unmapped).to.equal(0);
  });

  it('translates labels, and counts the rows that the map leaves out', async () => {
    const file = write('x.csv', 'text,label\na,0\nb,1\nc,2\nd,0\n');
    const { examples, unmapped } = await readExamples(file, { ...COLUMNS, labelMap: parseLabelMap('0=bad,2=good') });
    expect(examples.map(({ text, label }) => `${text} ${label}`)).to.deep.equal(['a bad', 'c good', 'd bad']);
    expect(unmapped).to.equal(1);
  });

  it('says how many rows a map leaves out that matches none', async () => {
    const file = write('x.csv', 'text,label\na,0\nb,1\n');
    const reading = readExamples(file, { ...COLUMNS, labelMap: parseLabelMap('neg=bad,pos=good') });
    expect((await rejection(reading, 'data_invalid')).message).to.match(/only 2 .*--label-map/);
  });

  const bad: [string, string, RegExp][] = [
    ['no text', '{"text":"a","label":"x"}\n{"label":"x"}\n', /x\.jsonl:2: .*'text'.*--text-column/],
    ['a blank text', '{"text":" \\n","label":"x"}\n', /x\.jsonl:1: .*'text'/],
    ['a text that is no string', '{"text":5,"label":"x"}\n', /x\.jsonl:1: .*'text'/],
    ['no label', '{"text":"a","label":"x"}\n\n{"text":"b"}\n', /x\.jsonl:3: .*'label'/],
    ['an empty label', '{"text":"a","label":""}\n', /x\.jsonl:1: .*'label'/],
    ['a label that is null', '{"text":"a","label":null}\n', /x\.jsonl:1: .*'label'/],
    ['a label with white space around it', '{"text":"a","label":"x\\r"}\n', /x\.jsonl:1: .*"x\\r"/],
    ['no rows', '\n\n', /x\.jsonl/],
  ];
  for (const [what, content, message] of bad) {
    it(`refuses a file with ${what}`, async () => {
      const error = await rejection(readExamples(write('x.jsonl', content), COLUMNS), 'data_invalid');
      expect(error.message).to.match(message);
    });
  }
});

describe('parseLabelMap()', () => {
  it('reads pairs', () => {
    expect(parseLabelMap(undefined)).to.equal(undefined);
    expect([...parseLabelMap('0=negative,1=positive')!]).to.deep.equal([
      ['0', 'negative'],
      ['1', 'positive'],
    ]);
  });

  for (const wrong of ['', '0', '0=', '=a', '0=a,', '0=a=b', '0=a,,1=b']) {
    it(`refuses '${wrong}'`, () => {
      expect(() => parseLabelMap(wrong))
        .to.throw()
        .with.property('code', 'invalid_config');
    });
  }
});

describe('loadDataset()', () => {
  const options = {
    columns: COLUMNS,
    tokenizerPath: join(fixture('distilbert-tiny'), 'tokenizer.json'),
    maxLength: 12,
    seed: 42,
  };

  function writeRows(rows: readonly object[]): string {
    return write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  }

  /** `count` different rows of a label, with one token more each. */
  function rowsOf(label: string, count: number, fields: object = {}): object[] {
    return Array.from({ length: count }, (_, index) => ({
      text: `${label} ${'x'.repeat(index + 1)}`,
      label,
      ...fields,
    }));
  }

  async function idOf(token: string): Promise<number> {
    const { ids } = await Tokenizer.load(options.tokenizerPath, 12).encode([token]);
    expect(ids, `[CLS] ${token} [SEP]`).to.have.length(3);
    return ids[1] as number;
  }

  function count(labels: Int32Array, label: number): number {
    return labels.filter((one) => one === label).length;
  }

  it('uses the split of the file, and labels in alphabetical order whatever the order of the rows', async () => {
    const data = await loadDataset(
      writeRows([
        { text: 'so so', label: 'neutral', split: 'test' },
        { text: 'good', label: 'positive', split: 'train' },
        { text: 'bad', label: 'negative', split: 'train' },
        { text: 'so', label: 'neutral', split: 'train' },
        { text: 'very very very very very very very very very very very bad', label: 'negative', split: 'test' },
      ]),
      options,
    );
    expect(data.labels).to.deep.equal(['negative', 'neutral', 'positive']);
    expect(data.trainLabels).to.deep.equal(Int32Array.from([2, 0, 1]));
    expect(data.testLabels).to.deep.equal(Int32Array.from([1, 0]));
    expect(data.lengths).to.deep.equal([3, 3, 3]);
    expect(data.test.offsets).to.deep.equal(Int32Array.from([0, 4, 16]));
    expect(data.summary).to.include('5 rows').and.to.include('3 to train on').and.to.include('1 cut to 12 tokens');
  });

  it('holds out a stratified tenth where there is no split, and the same one for the same seed', async () => {
    const file = writeRows([...rowsOf('common', 200), ...rowsOf('rare', 20)]);
    const data = await loadDataset(file, { ...options, maxLength: 512 });
    expect([count(data.testLabels, 0), count(data.testLabels, 1)]).to.deep.equal([20, 2]);
    expect([count(data.trainLabels, 0), count(data.trainLabels, 1)]).to.deep.equal([180, 18]);
    const again = await loadDataset(file, { ...options, maxLength: 512 });
    expect(again).to.deep.equal(data);
    const other = await loadDataset(file, { ...options, maxLength: 512, seed: 43 });
    expect(other.test.ids).not.to.deep.equal(data.test.ids);
  });

  it('loses no row and uses none twice', async () => {
    const file = writeRows([...rowsOf('a', 55), ...rowsOf('b', 45)]);
    const { train, test, trainLabels, testLabels } = await loadDataset(file, { ...options, maxLength: 512 });
    const texts = [train, test].flatMap(({ ids, offsets }) =>
      Array.from({ length: offsets.length - 1 }, (_, row) => ids.slice(offsets[row], offsets[row + 1]).join()),
    );
    expect(texts).to.have.length(100);
    expect(new Set(texts).size).to.equal(100);
    expect(trainLabels.length + testLabels.length).to.equal(100);
  });

  it('draws a held-out tenth from data with duplicates, all rows of a text on one side', async () => {
    // Each text three times but for case and punctuation; 'x' in a row is its number.
    const file = writeRows(
      ['a', 'b'].flatMap((label) =>
        rowsOf(label, 40).flatMap((row) => {
          const { text } = row as { text: string };
          return [row, { text: `${text.toUpperCase()}!`, label }, { text: `  ${text} `, label: 'b' }];
        }),
      ),
    );
    const { test, train, testLabels } = await loadDataset(file, { ...options, maxLength: 512 });
    expect(testLabels).to.have.length(2 * 3 * 4);
    const keys = ({ ids, offsets }: typeof test) =>
      Array.from({ length: offsets.length - 1 }, (_, row) =>
        ids
          .slice(offsets[row], offsets[row + 1])
          .filter((id) => id !== bang)
          .join(),
      );
    const bang = await idOf('!');
    const [held, trained] = [new Set(keys(test)), new Set(keys(train))];
    expect([held.size, trained.size]).to.deep.equal([8, 72]);
    expect([...held].filter((key) => trained.has(key))).to.deep.equal([]);
  });

  it('tells texts without letters and digits apart', async () => {
    const data = await loadDataset(
      writeRows([
        ...rowsOf('good', 5, { split: 'train' }),
        { text: ':)', label: 'good', split: 'test' },
        { text: ':(', label: 'bad', split: 'train' },
      ]),
      options,
    );
    expect([data.trainLabels.length, data.testLabels.length]).to.deep.equal([6, 1]);
  });

  const wrong: [string, object[], RegExp][] = [
    ['only one label', rowsOf('a', 20), /two labels.*"a"/],
    [
      'a split of numbers',
      [...rowsOf('a', 5, { split: 0 }), ...rowsOf('b', 5, { split: 1 })],
      /split train or test.*"0"/,
    ],
    ['an unknown split', [...rowsOf('a', 5, { split: 'train' }), ...rowsOf('b', 5, { split: 'dev' })], /dev/],
    ['a split in some rows only', [...rowsOf('a', 5, { split: 'train' }), ...rowsOf('b', 5)], /rows without one/],
    ['no test rows', [...rowsOf('a', 5, { split: 'train' }), ...rowsOf('b', 5, { split: 'train' })], /both splits/],
    [
      'a text in both splits, but for case and punctuation',
      [
        ...rowsOf('a', 5, { split: 'train' }),
        { text: 'Not bad!', label: 'b', split: 'train' },
        { text: 'not  bad', label: 'b', split: 'test' },
      ],
      /both splits.*not {2}bad/,
    ],
    [
      'a text of signs in both splits',
      [...rowsOf('a', 5, { split: 'train' }), ...['train', 'test'].map((split) => ({ text: ':)', label: 'b', split }))],
      /both splits.*:\)/,
    ],
    ['a label of one row, which is held out', [...rowsOf('a', 20), ...rowsOf('typo', 1)], /"typo".*held out/],
    [
      'a label of test rows only',
      [...rowsOf('a', 5, { split: 'train' }), ...rowsOf('b', 5, { split: 'test' })],
      /"b".*held out/,
    ],
  ];
  for (const [what, rows, message] of wrong) {
    it(`refuses ${what}`, async () => {
      expect((await rejection(loadDataset(writeRows(rows), options), 'data_invalid')).message).to.match(message);
    });
  }
});
