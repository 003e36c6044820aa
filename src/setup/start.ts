/**
 * `npm start`: prepares what is missing, then becomes the server in the same process, so that a signal to npm's child is
 * a signal to the server. Until then a signal ends the preparation, which leaves nothing half-made, with exit code 0.
 */
import { loadConfig } from '../config.js';
import { runCommand } from './command.js';
import { prepare } from './prepare.js';

const prepared = await runCommand((signal) => prepare(loadConfig(), signal), { stoppedCode: 0 });
if (prepared) await import('../main.js');
