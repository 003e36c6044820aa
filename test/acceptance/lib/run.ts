import { join } from 'node:path';
import { runChild } from '../../../src/setup/child.js';
import { PROJECT_ROOT } from '../../helpers/fixtures.js';

/** Runs a compiled script of the project, or any other by its absolute path, and shows what it prints. */
export async function runScript(
  script: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ code: number | null; output: string }> {
  const file = join(PROJECT_ROOT, 'dist', script);
  return runChild(process.execPath, [script.startsWith('/') ? script : file, ...args], {
    signal,
    onLine: (line) => process.stdout.write(`${line}\n`),
  });
}
