import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { useScratch } from '../helpers/scratch.js';

const scratch = useScratch();
const startJs = fileURLToPath(new URL('../../src/setup/start.js', import.meta.url));
const packageJson = fileURLToPath(new URL('../../../package.json', import.meta.url));

/** Our own `start` script in a package whose start.js does nothing but stop when told. */
const START_JS = `
process.on('SIGTERM', () => { console.log('stopped'); process.exit(0); });
setInterval(() => {}, 1000);
console.log('started');
`;

/**
 * Loader hooks: the process gets a SIGTERM when main.js is about to be read. The addon is taken as built, since another
 * checkout's may take minutes.
 */
const HOOKS = `
export async function load(url, context, next) {
  if (url.endsWith('/src/setup/native-addon.js')) {
    return {
      format: 'module',
      shortCircuit: true,
      source: 'export const PROJECT_ROOT = ""; export const ensureAddon = async () => false;',
    };
  }
  if (url.endsWith('/src/main.js')) {
    process.kill(process.pid, 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return next(url, context);
}
`;
const REGISTER = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(HOOKS))});`;

function dataUrl(source: string): string {
  return `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
}

describe('npm start', function () {
  this.timeout(30_000);

  it('exits 0 on a SIGTERM that comes while the server is loaded, after the preparation', async () => {
    const config = { ...process.env, MODEL_DIR: scratch.dir, NODE_OPTIONS: `--import ${dataUrl(REGISTER)}` };
    writeFileSync(join(scratch.dir, 'manifest.json'), '{}');
    const start = spawn(process.execPath, [startJs], { cwd: scratch.dir, env: config });
    let printed = '';
    for (const stream of [start.stdout, start.stderr]) {
      stream.on('data', (chunk) => {
        printed += chunk;
      });
    }
    const [code, signal] = await once(start, 'close');
    expect({ code, signal }, printed).to.deep.equal({ code: 0, signal: null });
    expect(printed).to.include('SIGTERM: stopping');
  });

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
