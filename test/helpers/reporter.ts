import { type Runner, reporters } from 'mocha';

/** Mocha's spec reporter; its last line is `N passed, N failed, N skipped`, alone, for scripts that read counts. */
class CountingReporter extends reporters.Spec {
  constructor(runner: Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
    });
  }
}

// Mocha loads reporters with require(): this name makes the class itself what require() gives.
export { CountingReporter as 'module.exports' };
