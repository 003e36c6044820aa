import { join } from 'node:path';
import { readSetupEnvironment } from '../../../src/setup/environment.js';
import { PROJECT_ROOT } from '../../helpers/fixtures.js';

/** Where the race keeps what it installs and makes: `rivals` in distilserve's cache (DISTILSERVE_CACHE). */
export interface RacePaths {
  /** The venv's. */
  readonly python: string;
  /** Holds node_modules with the rivals' packages. */
  readonly packages: string;
  readonly models: string;
  readonly logs: string;
  /** Made anew by each run of the race. */
  readonly requests: string;
}

export const PYTHON_SOURCES = join(PROJECT_ROOT, 'test/bench/rivals/python');
/** Compiled, as this file is. */
export const SERVERS = join(PROJECT_ROOT, 'dist/test/bench/rivals/servers');

export function racePaths(): RacePaths {
  const root = join(readSetupEnvironment().cacheDir, 'rivals');
  return {
    python: join(root, 'venv/bin/python'),
    packages: join(root, 'node'),
    models: join(root, 'models'),
    logs: join(root, 'logs'),
    requests: join(root, 'requests.json'),
  };
}
