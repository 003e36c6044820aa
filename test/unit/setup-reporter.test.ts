import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();
const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const reporter = fileURLToPath(new URL('../helpers/reporter.js', import.meta.url));

function run(source: string): { status: number | null; lastLine: string | undefined } {
  const file = join(scratch.dir, 'sample.test.cjs');
  writeFileSync(file, source);
  const { status, stdout } = spawnSync(process.execPath, [mocha, '--no-config', '--reporter', reporter, file], {
    encoding: 'utf8',
  });
  return { status, lastLine: stdout.trimEnd().split('\n').at(-1) };
}

describe('the test reporter', () => {
  it('ends with the counts alone on a line, and keeps the exit code of a failure', () => {
    const source = `it('a', () => {}); it('b', () => {}); it('c', () => { throw new Error('no'); }); it.skip('d', () => {});`;
    expect(run(source)).to.deep.equal({ status: 1, lastLine: '2 passed, 1 failed, 1 skipped' });
  });

  it('exits 0 when all pass', () => {
    expect(run(`it('a', () => {});`)).to.deep.equal({ status: 0, lastLine: '1 passed, 0 failed, 0 skipped' });
  });
});
