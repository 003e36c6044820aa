import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runChild } from '../../src/setup/child.js';
import { publishDir } from '../../src/setup/publish.js';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();

async function fillWith(target: string, text: string): Promise<void> {
  await publishDir(target, async ({ tree }) => writeFileSync(join(tree, 'file'), text));
}

describe('publishDir()', () => {
  it('leaves nothing when filling fails', async () => {
    const failing = publishDir(join(scratch.dir, 'target'), async ({ tree }) => {
      writeFileSync(join(tree, 'half'), '');
      throw new Error('disk full');
    });
    expect(await failing.catch((error: Error) => error.message)).to.equal('disk full');
    expect(readdirSync(scratch.dir)).to.deep.equal([]);
  });

  it('keeps what was published first', async () => {
    const target = join(scratch.dir, 'target');
    await publishDir(target, async ({ tree }) => {
      writeFileSync(join(tree, 'file'), 'late');
      await fillWith(target, 'early');
    });
    expect(readFileSync(join(target, 'file'), 'utf8')).to.equal('early');
    await fillWith(target, 'third');
    expect(readFileSync(join(target, 'file'), 'utf8')).to.equal('early');
    expect(readdirSync(scratch.dir)).to.deep.equal(['target']);
  });

  it('removes what a killed process left, and nothing of a living one or another machine', async () => {
    const { pid } = spawnSync('true');
    const dead = `.staging-${hostname()}-${pid}-00000000`;
    const kept = [`.staging-${hostname()}-${process.pid}-00000000`, `.staging-elsewhere-${pid}-00000000`];
    for (const name of [dead, ...kept]) mkdirSync(join(scratch.dir, name));
    await fillWith(join(scratch.dir, 'target'), '');
    expect(readdirSync(scratch.dir).sort()).to.deep.equal([...kept, 'target'].sort());
  });
});

describe('runChild()', () => {
  it('keeps what was printed and gives lines as they come', async () => {
    const lines: string[] = [];
    const result = await runChild('sh', ['-c', 'echo one; echo two >&2; exit 3'], {
      onLine: (line) => lines.push(line),
    });
    expect(result.code).to.equal(3);
    expect(result.output.split('\n').sort()).to.deep.equal(['', 'one', 'two']);
    expect(lines.sort()).to.deep.equal(['one', 'two']);
  });

  it("ends its children's children on abort", async () => {
    const controller = new AbortController();
    // The shell waits for its child, as cmake-js waits for the compilers. The child holds stdout: were it left
    // running, this would not end before it does.
    const options = { signal: controller.signal, onLine: () => controller.abort() };
    const outcome = runChild('sh', ['-c', 'sleep 60 & echo started; wait'], options);
    expect(await outcome.catch((error: Error) => error.name)).to.equal('AbortError');
  });
});

describe('runCommand()', () => {
  const command = new URL('../../src/setup/command.js', import.meta.url).href;
  const body = `
    import { writeFileSync, rmSync } from 'node:fs';
    import { runCommand } from '${command}';
    const done = await runCommand(async (signal) => {
      writeFileSync('half', '');
      console.log('ready');
      try {
        await new Promise((_, reject) => {
          const alive = setInterval(() => {}, 1000);
          signal.addEventListener('abort', () => { clearInterval(alive); reject(signal.reason); });
        });
      } finally { rmSync('half'); }
    }, JSON.parse(process.argv[1]));
    if (done) console.log('went on');`;

  for (const [options, code] of [
    ['{}', 143],
    ['{"stoppedCode":0}', 0],
  ] as const) {
    it(`cleans up on SIGTERM and exits ${code}`, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', body, options], { cwd: scratch.dir });
      let printed = '';
      child.stdout.on('data', (chunk) => {
        printed += chunk;
      });
      await once(child.stdout, 'data');
      expect(existsSync(join(scratch.dir, 'half'))).to.equal(true);
      child.kill('SIGTERM');
      expect(await once(child, 'close')).to.deep.equal([code, null]);
      expect(existsSync(join(scratch.dir, 'half'))).to.equal(false);
      expect(printed).to.equal('ready\n');
    });
  }
});
