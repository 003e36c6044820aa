import { createRequire } from 'node:module';
import { DistilserveError, isErrorCode, messageOf } from '../domain/errors.js';
import type { NativeAddon } from './types.js';

const require = createRequire(import.meta.url);
let loaded: NativeAddon | undefined;

// libgomp reads it when it is loaded: how long a waiting thread spins before it sleeps. Its default spins for
// milliseconds, and wherever anything else wants the cores a training step takes three times as long. Small batches, 2
// cores, quiet / one core busy: default 100 / 500 ms, 2000 turns 95 / 212 ms, no spinning 128 / 157 ms. The one variable
// set outside config.ts.
process.env.GOMP_SPINCOUNT ??= '2000';

/**
 * The addon, loaded at the first call of each thread.
 *
 * @throws DistilserveError native_missing when it is not built or its libtorch is gone
 */
export function addon(): NativeAddon {
  try {
    loaded ??= require('#addon') as NativeAddon;
    return loaded;
  } catch (error) {
    throw new DistilserveError(
      'native_missing',
      `Expected the native addon but it does not load (${messageOf(error).split('\n')[0]}); build it with: npm run build:native`,
      { cause: error },
    );
  }
}

/** Runs a call into the addon and gives its errors our class. */
export function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof DistilserveError) throw error;
    const code = (error as { code?: unknown }).code;
    throw new DistilserveError(isErrorCode(code) ? code : 'native_failure', messageOf(error), { cause: error });
  }
}
