/** `npm run build:native [-- --force --verbose --cuda|--no-cuda]`: libtorch and the addon, where they are not there yet. */
import { parseArgs } from 'node:util';
import { DistilserveError, messageOf } from '../domain/errors.js';
import { runCommand } from './command.js';
import { ensureAddon } from './native-addon.js';
import { say } from './progress.js';

function readFlags() {
  try {
    return parseArgs({
      options: { force: { type: 'boolean' }, verbose: { type: 'boolean' }, cuda: { type: 'boolean' } },
      allowNegative: true,
    }).values;
  } catch (error) {
    throw new DistilserveError(
      'invalid_config',
      `Expected --force, --verbose, --cuda or --no-cuda: ${messageOf(error)}`,
    );
  }
}

await runCommand(async (signal) => {
  const { force = false, verbose = false, cuda } = readFlags();
  const built = await ensureAddon({ force, verbose, cuda, signal });
  say(built ? 'The addon is built: build/Release/distilserve.node' : 'The addon is up to date.');
});
