/** Every acceptance command prints its verdicts as lines of one form, which all.ts gathers into its table. */
import { table } from '../../bench/statistics.js';

export interface Verdict {
  readonly outcome: 'PASS' | 'FAIL' | 'SKIP';
  readonly check: string;
  /** What was measured; for SKIP, why nothing was. */
  readonly figure: string;
  readonly bar: string;
}

/** Prints a verdict; one that failed makes the process end with status 1. */
export function report(verdict: Verdict): void {
  process.stdout.write(`${formatVerdict(verdict)}\n`);
  if (verdict.outcome === 'FAIL') process.exitCode = 1;
}

export function judged(passed: boolean, check: string, figure: string, bar: string): Verdict {
  return { outcome: passed ? 'PASS' : 'FAIL', check, figure, bar };
}

export function formatVerdict({ outcome, check, figure, bar }: Verdict): string {
  return [outcome, check, figure, bar].map((cell) => cell.replace(/\s*[|\n]\s*/g, ' ')).join(' | ');
}

export function parseVerdict(line: string): Verdict | undefined {
  const [outcome, check, figure, bar, ...rest] = line.split(' | ');
  if (outcome !== 'PASS' && outcome !== 'FAIL' && outcome !== 'SKIP') return undefined;
  if (check === undefined || figure === undefined || bar === undefined || rest.length > 0) return undefined;
  return { outcome, check, figure, bar };
}

/**
 * The verdicts that a command printed. One that ended with another status than they say, or printed none, has failed
 * whatever they say.
 *
 * @param code exit status; null when a signal ended it
 */
export function verdictsOf(command: string, output: string, code: number | null): Verdict[] {
  const verdicts = output.split('\n').flatMap((line) => parseVerdict(line) ?? []);
  const expected = verdicts.some(({ outcome }) => outcome === 'FAIL') ? 1 : 0;
  if (verdicts.length > 0 && code === expected) return verdicts;
  const figure = `ended with ${code ?? 'a signal'} after ${verdicts.length} verdicts`;
  return [...verdicts, judged(false, command, figure, 'ends with the status of its verdicts')];
}

export function summary(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ outcome, check, figure, bar }) => [outcome, check, figure, bar]);
  const count = (outcome: Verdict['outcome']): number => verdicts.filter((one) => one.outcome === outcome).length;
  const counts = `${count('PASS')} passed, ${count('FAIL')} failed, ${count('SKIP')} skipped`;
  return `${table([['', 'check', 'measured', 'bar'], ...rows], 4)}\n\n${counts}`;
}
