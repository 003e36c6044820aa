/**
 * `npm run bench:rivals`: other servers of the same models on this machine, asked the same, beside ours. It installs them
 * in the user's cache, runs for most of an hour and prints tables; docs/performance.md says how to read them.
 */
import { writeFileSync } from 'node:fs';
import { DistilserveError, messageOf } from '../../../src/domain/errors.js';
import { hasProgram } from '../../../src/setup/child.js';
import { runCommand } from '../../../src/setup/command.js';
import { ensureAddon } from '../../../src/setup/native-addon.js';
import { say } from '../../../src/setup/progress.js';
import { integer, readFlags, text, toggle } from '../../../train/lib/flags.js';
import { describeCommit, describeMachine, type Machine } from '../machine.js';
import { table } from '../statistics.js';
import { type Contender, chooseModels, makeContender } from './contenders.js';
import { type Limits, textLengths } from './floors.js';
import { RACE_DTYPES, weightBytes } from './geometry.js';
import { measureLimits } from './limits.js';
import { measureRow } from './measure-row.js';
import { racePaths } from './paths.js';
import { type RaceSteps, type RowRecord, race, rowsOf } from './race.js';
import { cellsTable, figuresTable, flipsTable, judgeCells, limitsTable, resultOf, summary } from './report.js';
import { makeRaceTexts } from './requests.js';
import { competitors, TEI_BINARY } from './rivals.js';
import { installRivals } from './setup.js';
import { versionsOf } from './versions.js';

const FLAGS = {
  only: text('.', 'Rows to run: a regular expression on NAME/MODEL/DTYPE'),
  models: text('mini,base,trained', 'Of mini, base, trained; the last is models/sentiment, for its answers alone'),
  rounds: integer(3, 'Rounds over all rows; figures are their medians', 1, 99),
  quick: toggle('A fifth of the time and fewer answers compared: shows that all works, no figures to go by'),
  out: text(undefined, 'Write everything as JSON to this file too, row by row'),
};
type Flags = ReturnType<typeof readFlags<typeof FLAGS>>;

/** What the figures were measured on and with. */
interface Setting {
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly flags: Flags;
}

const QUICK_SCALE = 0.2;
const texts = makeRaceTexts();
const paths = racePaths();

await runCommand(async (signal) => {
  const flags = readFlags(FLAGS, process.argv.slice(2));
  const models = await chooseModels(flags.models as string);
  const withTei = await hasProgram(TEI_BINARY);
  const rows = rowsOf(competitors(withTei), models, readPattern(flags.only as string));
  if (rows.length === 0) throw invalid('--models and --only to leave rows but they leave none');
  await ensureAddon({ signal });
  await installRivals(paths, signal);
  const contenders: Contender[] = [];
  for (const model of models) contenders.push(await makeContender(model, texts, paths, signal));
  const setting: Setting = {
    date: new Date().toISOString(),
    commit: describeCommit(),
    machine: describeMachine(),
    versions: await versionsOf(paths, withTei),
    flags,
  };
  const { records, limits } = await race(rows, flags.rounds, stepsOf(contenders, setting, signal), signal);
  save(setting, records, limits);
  process.stdout.write(`\n${tables(setting, records, limits, contenders)}\n`);
});

function stepsOf(contenders: readonly Contender[], setting: Setting, signal: AbortSignal): RaceSteps {
  const { quick, rounds } = setting.flags;
  const scale = quick ? QUICK_SCALE : 1;
  const compared = quick ? { singles: 32, batches: 2 } : { singles: 128, batches: texts.batches.length };
  const sizes = new Set(contenders.flatMap(({ geometry }) => RACE_DTYPES.map((dtype) => weightBytes(geometry, dtype))));
  const startedAt = performance.now();
  return {
    measureLimits: () => {
      say('Measuring what the machine can do …');
      return measureLimits([...sizes], texts, paths, scale, signal);
    },
    measureRow: ({ competitor, model }, round) => {
      const { folder, ownModel, references } = contenders.find((one) => one.model === model)!;
      say(`${competitor.name}, ${model}, ${competitor.dtype}, round ${round + 1} of ${rounds} …`);
      return measureRow(competitor, {
        start: { model, folder, ownModel, paths },
        texts,
        references,
        scale,
        // The trained model is of mini's size, and as fast.
        speed: model !== 'trained',
        agreement: round === 0 ? compared : undefined,
        signal,
      });
    },
    onRow: (record, records, done) => {
      const total = rounds * records.length;
      const left = ((performance.now() - startedAt) / 60_000 / done) * (total - done);
      say(`  ${summary(record)}; ${done} of ${total}, about ${Math.ceil(left)} min left`);
      save(setting, records, undefined);
    },
  };
}

function save(setting: Setting, records: readonly RowRecord[], limits: Limits | undefined): void {
  const { out } = setting.flags;
  if (out === undefined) return;
  const rows = records.map((record) => ({ ...resultOf(record), rounds: record.rounds }));
  writeFileSync(out, `${JSON.stringify({ ...setting, limits, rows }, null, 2)}\n`);
}

function tables(
  { date, machine, commit, versions, flags }: Setting,
  records: readonly RowRecord[],
  limits: Limits,
  contenders: readonly Contender[],
): string {
  const results = records.map(resultOf);
  const geometries = new Map(contenders.map(({ model, geometry }) => [model, geometry]));
  const quick = flags.quick ? ', quick: no figures to go by' : '';
  const heading = [
    ['date', date],
    ['machine', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`],
    ['ISA', machine.isa.join(' ') || 'unknown'],
    ['load', `${machine.loadAverage} in the minute before`],
    ['commit', commit],
    ['settings', `${flags.rounds} round${flags.rounds === 1 ? '' : 's'}, medians${quick}`],
    ...Object.entries(versions),
  ];
  const cells = judgeCells(results, geometries, limits, textLengths(texts));
  const parts = [table(heading, 2), figuresTable(results), limitsTable(limits)];
  if (cells.length > 0) parts.push(cellsTable(cells), flipsTable(results));
  return parts.join('\n\n');
}

function readPattern(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw invalid(`--only to be a regular expression: ${messageOf(error)}`);
  }
}

function invalid(expected: string): DistilserveError {
  return new DistilserveError('invalid_config', `Expected ${expected}`);
}
