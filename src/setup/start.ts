/**
 * `npm start`: prepares what is missing, then becomes the server in the same process, so that a signal to npm's child is
 * a signal to the server. Until then a signal ends the preparation, which leaves nothing half-made, with exit code 0.
 */
import { loadConfig } from '../config.js';
import { runCommand } from './command.js';
import { prepare } from './prepare.js';

await runCommand(
  async (signal) => {
    await prepare(loadConfig(), signal);
    // Still inside: until the server heeds signals itself, somebody has to.
    await import('../main.js');
    // A signal came while it was loaded: it has begun to start, and has nothing to finish.
    if (signal.aborted) process.exit(0);
  },
  { stoppedCode: 0 },
);
