/**
 * `npm run report`: writes FIX_REPORT.md from its template, with the lines of every definition it names, and with what
 * the real server answers; also the answers under the README's curl lines. Where the classifier, the encoder or the
 * store is missing, the exchanges stay as they were.
 */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config.js';
import { modelDirExists } from '../../src/model/model-dir.js';
import { runExchanges } from './exchanges.js';
import { exchangesOf, PROJECT_ROOT, REPORT, readProject, render, TEMPLATE } from './render.js';

const NONE = 'None yet: run `npm start` once, then `npm run report`.';

const missing = await whatIsMissing();
if (missing === undefined) {
  const { exchanges, readme } = await runExchanges(readProject('README.md'));
  await save(exchanges);
  await writeFile(join(PROJECT_ROOT, 'README.md'), readme);
} else {
  process.stderr.write(`The exchanges stay as they were: ${missing} is missing; make it with: npm start\n`);
  const before = await access(join(PROJECT_ROOT, REPORT)).then(
    () => exchangesOf(readProject(REPORT)),
    () => undefined,
  );
  await save(before ?? NONE);
}

async function save(exchanges: string): Promise<void> {
  await writeFile(join(PROJECT_ROOT, REPORT), render(readProject(TEMPLATE), exchanges));
  process.stdout.write(`wrote ${REPORT}\n`);
}

async function whatIsMissing(): Promise<string | undefined> {
  const { modelDir, storePath } = loadConfig([]);
  if (!(await modelDirExists(modelDir))) return modelDir;
  return access(storePath).then(
    () => undefined,
    () => storePath,
  );
}
