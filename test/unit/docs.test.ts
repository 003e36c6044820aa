import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { settingsTable } from '../../src/config.js';
import { HTTP_STATUS } from '../../src/domain/errors.js';
import { PROJECT_ROOT, readProject } from '../report/render.js';

const DOCUMENTS = [
  'README.md',
  'CHANGELOG.md',
  'FIX_REPORT.md',
  ...readdirSync(join(PROJECT_ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

describe('documents', () => {
  it('have, in the README, the settings as they are', () => {
    expect(readProject('README.md')).to.include(`\n\n${settingsTable()}\n`);
  });

  it('list, in docs/errors.md, every code with its status and no other', () => {
    const rows = readProject('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \| \S.* \|$/gm);
    const listed = Object.fromEntries(Array.from(rows, ([, code, status]) => [code, Number(status)]));
    expect(listed).to.deep.equal(HTTP_STATUS);
  });

  it('have, in docs/training.md, the flags of npm run train as they are', function flags() {
    this.timeout(30_000);
    const script = join(PROJECT_ROOT, 'dist/train/train.js');
    const help = execFileSync(process.execPath, [script, '--help'], { encoding: 'utf8' });
    const lines = help
      .replace(/(--threads .*)\(\d+\)/, '$1(number of cores)')
      .trimEnd()
      .split('\n');
    expect(readProject('docs/training.md')).to.include(lines.map((line) => `    ${line.trim()}\n`).join(''));
  });

  it('name, in docs/native-api.md, every member of the addon', () => {
    const text = readProject('docs/native-api.md');
    const face = readProject('src/native/types.ts');
    const interfaces = face.matchAll(
      /^export interface (ScriptModule|Trainer|VectorIndex|WordPiece|NativeAddon) \{\n([\s\S]*?)^\}/gm,
    );
    const members = Array.from(interfaces, ([, , body]) =>
      Array.from(body!.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)),
    );
    const names = members.flat().map(([, name]) => name!);
    expect(names).to.include.members(['classify', 'limits', 'step', 'search', 'writeModel']);
    expect(names.filter((name) => !new RegExp(`[\`( ]${name}[\`(]`).test(text))).to.deep.equal([]);
  });

  it('name, in docs/architecture.md, every folder of the sources', () => {
    const text = readProject('docs/architecture.md');
    const folders = readdirSync(join(PROJECT_ROOT, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `src/${entry.name}/`);
    expect(folders.filter((folder) => !text.includes(`\`${folder}\``))).to.deep.equal([]);
  });

  for (const document of DOCUMENTS) {
    it(`link, in ${document}, only to what is there`, () => {
      const links = readProject(document).matchAll(/\]\((?!https?:)([^)#]*)(#[^)]*)?\)/g);
      const broken = Array.from(links, ([, path, anchor]) => ({ path, anchor })).filter(
        ({ path, anchor }) => !leadsSomewhere(document, path!, anchor),
      );
      expect(broken).to.deep.equal([]);
    });

    it(`name, in ${document}, only npm scripts and files that exist`, () => {
      const text = readProject(document);
      const { scripts } = JSON.parse(readProject('package.json')) as { scripts: Record<string, string> };
      const named = Array.from(text.matchAll(/npm run ([\w:]+)/g), ([, name]) => name!);
      expect(named.filter((name) => !(name in scripts))).to.deep.equal([]);
      const files = Array.from(text.matchAll(/`((?:src|native|train|test)\/[\w./-]+)`/g), ([, path]) => path!);
      expect(files.filter((path) => !existsSync(join(PROJECT_ROOT, path)))).to.deep.equal([]);
    });
  }
});

function leadsSomewhere(from: string, path: string, anchor: string | undefined): boolean {
  const target = path === '' ? from : normalize(join(dirname(from), path));
  const file = join(PROJECT_ROOT, target);
  if (!existsSync(file)) return false;
  if (anchor === undefined || !statSync(file).isFile()) return true;
  const headings = Array.from(readProject(target).matchAll(/^#+ (.+)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  return headings.includes(anchor.slice(1));
}
