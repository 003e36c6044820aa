import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { PROJECT_ROOT, readProject } from '../report/render.js';

const PERMISSIVE = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'PSF-2.0',
]);
/** Written by tools, or not ours: nothing that is checked in. */
const NOT_OURS = new Set([
  '.git',
  'node_modules',
  ...readProject('.gitignore')
    .match(/^[\w/-]+(?=\/$)/gm)!
    .map(bare),
]);
const TEXT = /\.(ts|js|json|jsonl|md|cc|h|txt|py|yml|yaml|gyp)$|^[^.]+$|\/run$/;

describe('the repository', () => {
  it('depends on packages with permissive licences only', () => {
    const { packages } = JSON.parse(readProject('package-lock.json')) as {
      packages: Record<string, { license?: string }>;
    };
    const others = Object.entries(packages).filter(([, { license = 'none' }]) => {
      const choices = license.replace(/[()]/g, '').split(' OR ');
      return !choices.some((choice) => choice.split(' AND ').every((one) => PERMISSIVE.has(one)));
    });
    expect(others.map(([name, { license }]) => `${name}: ${license}`)).to.deep.equal([]);
  });

  it('holds no path of a developer’s machine and no address of a package registry', function search() {
    this.timeout(30_000);
    const found = ourFiles(PROJECT_ROOT).flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      return [...machinePaths(text), ...registries(text)].map((hit) => `${relative(PROJECT_ROOT, file)}: ${hit}`);
    });
    expect(found).to.deep.equal([]);
  });

  it('would find such a path and such an address', () => {
    expect(machinePaths('cd /ho' + 'me/ada/project && ls')).to.deep.equal(['/ho' + 'me/ada/']);
    expect(machinePaths('C:\\Us' + 'ers\\ada')).to.deep.equal(['C:\\Us' + 'ers\\ada']);
    expect(machinePaths('see /homework/ and https://example.org/home/x')).to.deep.equal([]);
    expect(registries('"resolved": "https://regis' + 'try.example.org/x.tgz"')).to.have.lengthOf(1);
    expect(registries('--index-url=http://10.0.0.7/sim' + 'ple/')).to.have.lengthOf(1);
    expect(registries('https://huggingface.co and https://example.org/registry-of-deeds')).to.deep.equal([]);
  });
});

function bare(path: string): string {
  return path.replaceAll('/', '');
}

function ourFiles(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (dir === PROJECT_ROOT && NOT_OURS.has(entry.name)) return [];
    if (entry.isDirectory()) return ourFiles(path);
    return entry.isFile() && TEXT.test(entry.name) ? [path] : [];
  });
}

/** Home directories and this kind of scratch folder, where they begin a path. */
function machinePaths(text: string): string[] {
  return text.match(/(?<![\w.:/-])\/(?:home|Users|work|root)\/[\w.-]+\/?|\b[A-Z]:\\+Users\\+\w+/g) ?? [];
}

function registries(text: string): string[] {
  const addresses = text.match(/https?:\/\/[^\s"'`)]+/g) ?? [];
  return addresses.filter(
    (address) =>
      !/^https?:\/\/(?:127\.0\.0\.1|localhost)\b/.test(address) &&
      /^https?:\/\/(?:registry|npm|pypi|mirror|proxy|nexus|artifactory)[\w-]*\.|\/(?:simple|repository|artifactory)(?:\/|$)/.test(
        address,
      ),
  );
}
