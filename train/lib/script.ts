import { DistilserveError } from '../../src/domain/errors.js';

/** Runs a script's main function: what the user can mend is printed as one message, a bug with its stack. */
export async function script(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const text =
      error instanceof DistilserveError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`\nerror: ${text}\n`);
    process.exitCode = 1;
  }
}
