import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();
const packageJson = fileURLToPath(new URL('../../../package.json', import.meta.url));

/** Our own `start` script in a package whose start.js does nothing but stop when told. */
const START_JS = `
process.on('SIGTERM', () => { console.log('stopped'); process.exit(0); });
setInterval(() => {}, 1000);
console.log('started');
`;

describe('npm start', function () {
  this.timeout(30_000);

  it('hands a SIGTERM to npm alone on to the server, and exits 0 with it', async () => {
    const { start } = (JSON.parse(readFileSync(packageJson, 'utf8')) as { scripts: Record<string, string> }).scripts;
    mkdirSync(join(scratch.dir, 'dist/src/setup'), { recursive: true });
    writeFileSync(join(scratch.dir, 'package.json'), JSON.stringify({ type: 'module', scripts: { start } }));
    writeFileSync(join(scratch.dir, 'dist/src/setup/start.js'), START_JS);
    const npm = spawn('npm', ['start', '--silent'], { cwd: scratch.dir, detached: true });
    let printed = '';
    npm.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    await once(npm.stdout, 'data');
    const ended = once(npm, 'exit');
    const closed = once(npm.stdout, 'close');
    npm.kill('SIGTERM');
    const [code, signal] = await ended;
    // What a lost signal leaves running would hold stdout open for ever.
    if (code !== 0) process.kill(-(npm.pid ?? 0), 'SIGKILL');
    await closed;
    expect({ code, signal, printed }).to.deep.equal({ code: 0, signal: null, printed: 'started\nstopped\n' });
  });
});
