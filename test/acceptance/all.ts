/**
 * `npm run acceptance`: everything the default model, catalogue and server must reach, one table at the end. It uses what
 * `npm start` has prepared. `--fresh` adds the two commands of the README from fresh clones, which take a quarter of an hour.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/domain/errors.js';
import { runCommand } from '../../src/setup/command.js';
import { readFlags, text, toggle } from '../../train/lib/flags.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { runScript } from './lib/run.js';
import { judged, summary, type Verdict, verdictsOf } from './lib/verdict.js';

const FLAGS = {
  shared: text('../shared', 'Folder of data/sentiment and http-cases/; what is not there is skipped'),
  fresh: toggle('Install, start and test from fresh clones too'),
};

const PRODUCT = 'SKU-123';
const STOP_MS = 40_000;

await runCommand(async (signal) => {
  const command = (name: string, ...args: string[]): Promise<Verdict[]> => runAndRead(name, args, signal);
  const { shared, fresh } = readFlags(FLAGS, process.argv.slice(2));
  const verdicts = [
    ...(await command('accuracy', '--data-dir', join(shared, 'data/sentiment'))),
    ...(await command('dtypes', '--data', join(shared, 'data/sentiment/sst2/dev.tsv.gz'))),
    ...(await command('neighbors')),
    ...(await againstServer(resolve(shared, 'http-cases/run.mjs'), signal)),
  ];
  if (fresh) verdicts.push(...(await command('fresh')), ...(await command('fresh', '--test')));
  process.stdout.write(`\n${summary(verdicts)}\n`);
  if (verdicts.some(({ outcome }) => outcome === 'FAIL')) process.exitCode = 1;
});

async function runAndRead(name: string, args: readonly string[], signal: AbortSignal): Promise<Verdict[]> {
  process.stdout.write(`\n== ${[name, ...args].join(' ')}\n`);
  const { code, output } = await runScript(`test/acceptance/${name}.js`, args, signal);
  return verdictsOf(name, output, code);
}

async function againstServer(httpCases: string, signal: AbortSignal): Promise<Verdict[]> {
  let server: ServerProcess;
  try {
    server = await startServerProcess({});
  } catch (error) {
    return [judged(false, 'the server starts', messageOf(error), 'listens')];
  }
  const verdicts: Verdict[] = [];
  try {
    verdicts.push(...(await runAndRead('mixed-load', [server.url], signal)));
    verdicts.push(await playHttpCases(httpCases, server.url, signal));
  } finally {
    verdicts.push(await stop(server));
  }
  return verdicts;
}

async function stop(server: ServerProcess): Promise<Verdict> {
  const over = new AbortController();
  const late = sleep(STOP_MS, undefined, { signal: over.signal }).catch(() => undefined);
  const code = await Promise.race([server.stop(), late]);
  over.abort();
  const figure = code === undefined ? `did not stop in ${STOP_MS} ms` : `exit code ${code}`;
  return judged(code === 0, 'the server stops after SIGTERM', figure, 'exit code 0');
}

async function playHttpCases(file: string, url: string, signal: AbortSignal): Promise<Verdict> {
  const check = 'HTTP cases';
  const bar = 'all pass';
  if (!existsSync(file)) return { outcome: 'SKIP', check, figure: `${file} is not there`, bar };
  process.stdout.write('\n== HTTP cases\n');
  const { code, output } = await runScript(file, [url, '--product-id', PRODUCT], signal);
  return judged(code === 0, check, output.trimEnd().split('\n').at(-1) ?? '', bar);
}
