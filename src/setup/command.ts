import { constants } from 'node:os';
import { DistilserveError } from '../domain/errors.js';
import { say } from './progress.js';

/** A terminal's Ctrl-C comes twice, from the terminal and from npm. */
const REPEATED_SIGNAL_MS = 1000;

/**
 * Runs the body of a set-up command. SIGINT and SIGTERM abort its signal, so that children end and half-made files go;
 * then the exit code is the one shells give for that signal, or `stoppedCode`. A second signal, a
 * second or more after the first, ends the process at once. Errors go to stderr with exit code 1.
 */
export async function runCommand(
  body: (signal: AbortSignal) => Promise<void>,
  options: { stoppedCode?: number } = {},
): Promise<void> {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  let receivedAt = 0;
  const onSignal = (name: NodeJS.Signals): void => {
    const now = performance.now();
    if (received !== undefined) {
      if (now - receivedAt < REPEATED_SIGNAL_MS) return;
      say(`${name}: stopping at once`);
      process.exit(exitCodeOf(name));
    }
    received = name;
    receivedAt = now;
    say(`${name}: stopping`);
    controller.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    await body(controller.signal);
  } catch (error) {
    if (received === undefined) {
      say(error instanceof DistilserveError ? `Error: ${error.message}` : String((error as Error).stack ?? error));
      process.exitCode = 1;
      return;
    }
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  if (received !== undefined) process.exitCode = options.stoppedCode ?? exitCodeOf(received);
}

/** As shells give it. */
function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
