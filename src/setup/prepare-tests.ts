/** Before `npm test`: the addon and the base weights, which the tests take from where set-up puts them. */
import { resolveBase } from '../model/base-weights.js';
import { runCommand } from './command.js';
import { ensureAddon } from './native-addon.js';

await runCommand(async (signal) => {
  await ensureAddon({ signal });
  await resolveBase(undefined, { signal });
});
