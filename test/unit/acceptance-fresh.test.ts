import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type FreshRun, measureStarts, measureTest } from '../acceptance/lib/fresh-runs.js';
import type { Verdict } from '../acceptance/lib/verdict.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();

/** A server that answers as ours does and stops when told; `extra` runs once it listens. */
const serverCode = (label: string, extra: string): string => `
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { homedir } from 'node:os';
import { existsSync, writeFileSync } from 'node:fs';
const neighbors = [1, 2, 3, 4, 5].map((at) => ({ id: 'SKU-' + at, score: 1 - at / 10 }));
const answers = {
  '/predict': { label: '${label}', confidence: 0.9 },
  '/recommend': { product_id: 'SKU-123', neighbors },
};
if (existsSync(homedir() + '/.npmrc')) process.exit(9);
const server = createServer((request, response) => response.end(JSON.stringify(answers[request.url])));
process.on('SIGTERM', () => process.exit(0));
server.listen(process.env.PORT, '127.0.0.1', () => { ${extra} });
`;

/** A repository whose HEAD is a package with our `start` script and that server. */
function makeRepository({ label = 'positive', early = '', extra = '', test = 'true' } = {}): string {
  const dir = join(scratch.dir, 'repository');
  mkdirSync(join(dir, 'dist/src/setup'), { recursive: true });
  const scripts = { start: 'exec node dist/src/setup/start.js', test };
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'tiny', version: '1.0.0', type: 'module', scripts }));
  const lock = {
    name: 'tiny',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: { '': { name: 'tiny', version: '1.0.0' } },
  };
  writeFileSync(join(dir, 'package-lock.json'), JSON.stringify(lock));
  writeFileSync(join(dir, 'dist/src/setup/start.js'), early + serverCode(label, extra));
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.invalid', ...args], { cwd: dir });
  git('init', '--quiet');
  git('add', '.');
  git('commit', '--quiet', '-m', 'tiny');
  return dir;
}

describe('acceptance fresh clone', function () {
  this.timeout(60_000);
  let verdicts: Verdict[];
  let shown: string;
  const outcomes = () => verdicts.map(({ outcome }) => outcome).join(' ');

  beforeEach(() => {
    verdicts = [];
    shown = '';
    // Clones land in the test's own directory, where what is left of them is seen.
    process.env.TMPDIR = join(scratch.dir, 'tmp');
    mkdirSync(process.env.TMPDIR);
    process.env.npm_config_audit = 'false';
    process.env.npm_config_update_notifier = 'false';
  });
  afterEach(() => {
    expect(readdirSync(tmpdir()), 'left behind').to.deep.equal([]);
  });

  const run = (repository: string, signal = new AbortController().signal): FreshRun => ({
    repository,
    report: (verdict) => verdicts.push(verdict),
    signal,
    write: (text) => {
      shown += text;
    },
  });
  const starts = (repository: string, signal?: AbortSignal) => measureStarts(run(repository, signal));
  const message = (promise: Promise<void>) =>
    promise.then(
      () => 'no error',
      (error: Error) => error.message,
    );

  it('passes a server that answers rightly and stops when told, twice', async () => {
    await starts(makeRepository());
    expect(verdicts.map(({ check }) => check)).to.deep.equal([
      'npm ci && npm start to the first right answers',
      'SIGTERM to npm alone',
      'second npm start to the first right answers',
      'SIGTERM to the server alone',
    ]);
    // The second start's two seconds are npm's own here, and the machine may be busy.
    expect(outcomes()).to.match(/^PASS PASS (PASS|FAIL) PASS$/);
  });

  it('fails a server that leaves a process behind, and ends that', async () => {
    const mark = join(scratch.dir, 'orphan');
    const orphan = `setTimeout(() => require("fs").writeFileSync("${mark}", ""), 20000)`;
    const extra = `spawn(process.execPath, ['-e', '${orphan}'], { stdio: 'ignore' }).unref();`;
    await starts(makeRepository({ extra }));
    expect(verdicts[1]).to.deep.include({ outcome: 'FAIL', figure: "npm's exit code 0, 1 processes left" });
    const running = execFileSync('ps', ['-A', '-ww', '-o', 'args=']).toString();
    expect(running).not.to.include(mark);
    expect(existsSync(mark)).to.equal(false);
  });

  it('fails a server that ends with another exit code', async () => {
    await starts(
      makeRepository({
        extra: `process.removeAllListeners('SIGTERM').on('SIGTERM', () => process.exit(3));`,
      }),
    );
    expect(verdicts[1]).to.deep.include({ outcome: 'FAIL', figure: "npm's exit code 3, 0 processes left" });
  });

  it('takes no wrong answer for the first right one', async () => {
    expect(await message(starts(makeRepository({ label: 'negative' })))).to.match(/^Expected positive for .* received/);
    expect(verdicts).to.deep.equal([]);
  });

  it('says so when the server ends instead of listening', async () => {
    const error = await message(starts(makeRepository({ early: 'process.exit(7)' })));
    expect(error).to.equal('Expected npm start to serve but it ended with 7; its output is above');
  });

  it('ends what it started when it is aborted', async () => {
    const controller = new AbortController();
    const extra = `server.removeAllListeners('request'); console.log('hangs')`;
    const running = starts(makeRepository({ extra }), controller.signal);
    setTimeout(() => controller.abort(new Error('stop')), 3000);
    expect(await message(running)).to.equal('stop');
    expect(execFileSync('ps', ['-A', '-ww', '-o', 'args=']).toString()).not.to.include(scratch.dir);
  });

  it('passes npm test by its counts and its exit code', async () => {
    await measureTest(run(makeRepository({ test: "echo '12 passed, 0 failed, 1 skipped'" })));
    expect(verdicts[0]).to.deep.include({ outcome: 'PASS', figure: '12 passed, 0 failed, 1 skipped, exit code 0' });
    expect(shown).to.match(/^ +\d+\.\d s {2}npm ci$/m);
  });

  for (const [test, figure] of [
    ["echo '12 passed, 0 failed, 1 skipped'; exit 3", '12 passed, 0 failed, 1 skipped, exit code 3'],
    ["echo '12 passed, 1 failed, 1 skipped'", '12 passed, 1 failed, 1 skipped, exit code 0'],
    ['echo nothing', 'no line of counts, exit code 0'],
  ] as const) {
    it(`fails npm test with: ${figure}`, async () => {
      await measureTest(run(makeRepository({ test })));
      expect(verdicts[0]).to.deep.include({ outcome: 'FAIL', figure });
    });
  }
});
