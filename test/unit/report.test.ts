import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { linesOf } from '../report/locations.js';
import {
  exchangesOf,
  type NamedTest,
  namedTests,
  PROJECT_ROOT,
  REPORT,
  readProject,
  render,
  TEMPLATE,
} from '../report/render.js';

const TYPESCRIPT = `import { a } from './a.js';

const LIMITS = {
  one: 1,
} as const;
const SHORT = 3;

/** A comment that names run( and Thing. */
export class Thing {
  constructor(private readonly a: number) {}

  static async load<T>(
    path: string,
    options: { deep?: boolean } = {},
  ): Promise<T> {
    if (path === '}') {
      return run(path);
    }
  }

  #run(): void {}
}

export async function* run(x: number): AsyncGenerator<{ a: number }> {
  const inner = { x };
  yield inner;
}
`;

const CPP = `namespace n {
namespace {

bool run(const std::string& text) { return text == "{"; }

class Builder {
 public:
  Module build() {
    source << R"(
def forward(self):
)";
    return run("}");
  }
};

}  // namespace

Thing::Thing(const Options& options)
    : options_(options), module_(run(options.path)) {
  add();
}

std::vector<Match> Thing::run(int64_t k) const {
  if (k < 1) {
    fail();
  }
  return {};
}

}  // namespace n
`;

describe('linesOf()', () => {
  const cases: readonly [string, string, string, number, number][] = [
    ['a constant over lines', TYPESCRIPT, 'LIMITS', 3, 5],
    ['a constant in one line', TYPESCRIPT, 'SHORT', 6, 6],
    ['a class', TYPESCRIPT, 'Thing', 9, 22],
    ['a constructor', TYPESCRIPT, 'Thing.constructor', 10, 10],
    ['a method whose parameters take lines', TYPESCRIPT, 'Thing.load', 12, 19],
    ['a private method', TYPESCRIPT, 'Thing.run', 21, 21],
    ['a function', TYPESCRIPT, 'run', 24, 27],
    ['the one line that holds a text', TYPESCRIPT, '"deep?: boolean"', 14, 14],
    ['a C++ function in one line', CPP, 'run', 4, 4],
    ['a C++ class', CPP, 'Builder', 6, 14],
    ['a C++ method within its class', CPP, 'Builder::build', 8, 13],
    ['a C++ constructor', CPP, 'Thing::Thing', 18, 21],
    ['a C++ method outside its class', CPP, 'Thing::run', 23, 28],
  ];
  for (const [title, source, symbol, first, last] of cases) {
    it(`finds ${title}`, () => {
      expect(linesOf(source, symbol)).to.deep.equal({ first, last });
    });
  }

  it('refuses what is not there or is there twice', () => {
    expect(() => linesOf(TYPESCRIPT, 'gone')).to.throw('found it 0 times');
    expect(() => linesOf(TYPESCRIPT, 'Thing.gone')).to.throw('found it 0 times');
    expect(() => linesOf(TYPESCRIPT, '"const "')).to.throw('found it 3 times');
  });
});

describe(REPORT, () => {
  const template = readProject(TEMPLATE);

  it('is what npm run report makes of its template, with the lines of today', () => {
    const report = readProject(REPORT);
    expect(exchangesOf(report)).to.be.a('string');
    expect(render(template, exchangesOf(report)!)).to.equal(report);
  });

  it('gives every entry its symptoms, cause, location, fix and validation', () => {
    const log = template.split('## API Behaviour')[0]!;
    const entries = log.split(/^### /m).slice(1);
    expect(entries.map((entry) => /^[DR]\d+/.exec(entry)?.[0])).to.include.members(['D1', 'D26', 'R1']);
    for (const entry of entries) {
      const parts = Array.from(entry.matchAll(/^- \*\*([\w ]+):\*\* \S/gm), ([, name]) => name);
      expect(parts, entry).to.deep.equal(['Symptoms', 'Root Cause', 'Location', 'Fix', 'Validation']);
      expect(entry).to.match(/\{\{location /);
      if (/^R\d/.test(entry)) expect(entry).to.match(/met while building, commit [0-9a-f]{7}\)/);
    }
  });

  it('names only tests that exist', function names() {
    this.timeout(60_000);
    const named = namedTests(template);
    const titles = titlesOf([...new Set(named.map(({ file }) => compiled(file)))]);
    const missing = named.filter(
      ({ file, title }) => !titles.some((one) => one.file.endsWith(compiled(file)) && one.title.includes(title)),
    );
    expect(named).to.not.be.empty;
    expect(missing).to.deep.equal([]);
  });
});

function compiled(file: string): string {
  return `dist/${file.replace(/\.ts$/, '.js')}`;
}

/** The full titles of the tests in compiled files, as mocha reads them; nothing is run. */
function titlesOf(files: readonly string[]): NamedTest[] {
  const dir = mkdtempSync(join(tmpdir(), 'distilserve-titles-'));
  try {
    const output = join(dir, 'titles.json');
    const mocha = join(PROJECT_ROOT, 'node_modules/mocha/bin/mocha.js');
    const options = ['--dry-run', '--reporter', 'json', '--reporter-option', `output=${output}`];
    const { status, stderr } = spawnSync(process.execPath, [mocha, ...options, ...files], {
      cwd: PROJECT_ROOT,
      encoding: 'utf8',
    });
    expect(status, stderr).to.equal(0);
    const { tests } = JSON.parse(readFileSync(output, 'utf8')) as { tests: { fullTitle: string; file: string }[] };
    return tests.map(({ fullTitle, file }) => ({ file, title: fullTitle }));
  } finally {
    rmSync(dir, { recursive: true });
  }
}
