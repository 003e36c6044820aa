import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An empty directory and the environment as it was, for each test of the surrounding `describe`. */
export function useScratch(): { readonly dir: string } {
  const state = { dir: '' };
  let environment: NodeJS.ProcessEnv;
  beforeEach(() => {
    state.dir = mkdtempSync(join(tmpdir(), 'distilserve-test-'));
    environment = { ...process.env };
  });
  afterEach(() => {
    rmSync(state.dir, { recursive: true, force: true });
    for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
    Object.assign(process.env, environment);
  });
  return state;
}
