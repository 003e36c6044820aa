import { constants } from 'node:os';
import { DistilserveError } from '../domain/errors.js';
import { say } from './progress.js';

/**
 * Runs the body of a set-up command. SIGINT and SIGTERM abort its signal, so that children end and half-made files go;
 * then the exit code is the one shells give for that signal, or `stoppedCode`. Errors go to stderr with exit code 1.
 *
 * @returns whether the body ran to its end
 */
export async function runCommand(
  body: (signal: AbortSignal) => Promise<void>,
  options: { stoppedCode?: number } = {},
): Promise<boolean> {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (received !== undefined) return;
    received = name;
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
      return false;
    }
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  if (received === undefined) return true;
  process.exitCode = options.stoppedCode ?? 128 + constants.signals[received];
  return false;
}
