/**
 * The two commands of the README on a fresh machine: a clone of HEAD in an empty directory, HOME an empty folder, no cache.
 * Without a flag `npm ci && npm start`, twice; with `--test` `npm ci && npm test`. What is not committed is not measured.
 */
import { runCommand } from '../../src/setup/command.js';
import { readFlags, toggle } from '../../train/lib/flags.js';
import { PROJECT_ROOT } from '../helpers/fixtures.js';
import { measureStarts, measureTest } from './lib/fresh-runs.js';
import { report } from './lib/verdict.js';

const FLAGS = { test: toggle('npm ci && npm test instead of npm ci && npm start') };

await runCommand(async (signal) => {
  const { test } = readFlags(FLAGS, process.argv.slice(2));
  const write = (text: string): boolean => process.stdout.write(text);
  await (test ? measureTest : measureStarts)({ repository: PROJECT_ROOT, report, signal, write });
});
