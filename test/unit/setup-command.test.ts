import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { runChild } from '../../src/setup/child.js';

/** Dies by a signal, but leaves a process of another group that holds its output open for a moment. */
const DIES = `
const { spawn } = require('node:child_process');
spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1500)'], { detached: true, stdio: 'inherit' });
console.log(process.pid);
setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);
`;

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    expect(error).to.have.property('code', 'ESRCH');
    return false;
  }
}

describe('runChild()', () => {
  it('can be aborted after its child died by a signal', async () => {
    const controller = new AbortController();
    let pid = 0;
    const onLine = (line: string) => {
      pid = Number(line);
    };
    const run = runChild(process.execPath, ['-e', DIES], { signal: controller.signal, onLine });
    const ended = run.catch((error: Error) => error.name);
    while (pid === 0 || isThere(pid)) await sleep(10);
    await sleep(10);
    controller.abort();
    expect(await ended).to.equal('AbortError');
  });
});

describe('runCommand()', () => {
  it('takes a second signal at once for the first one told twice, and a later one for impatience', async () => {
    const module = new URL('../../src/setup/command.js', import.meta.url).href;
    const script = `
      import { runCommand } from ${JSON.stringify(module)};
      setInterval(() => {}, 1000);
      console.log('started');
      await runCommand(() => new Promise(() => {}));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    await sleep(50);
    child.kill('SIGINT');
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    await sleep(1100);
    expect(child.exitCode, 'told twice').to.equal(null);
    child.kill('SIGINT');
    const first = await Promise.race([exited, sleep(2000, 'ignored')]);
    child.kill('SIGKILL');
    expect(first).to.deep.equal([130, null]);
  });
});
