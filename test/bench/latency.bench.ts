/**
 * `npm run bench`: latency and throughput of the addon, the pool and HTTP. It asserts that every answer is right and none
 * is lost, never how long one took. The server's settings hold (MODEL_DIR, DEVICE, DTYPE, WORKERS), and BENCH_SECONDS.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../../src/config.js';
import { DistilserveError } from '../../src/domain/errors.js';
import type { Dtype, Prediction } from '../../src/domain/types.js';
import { openModelDir } from '../../src/model/model-dir.js';
import { TextModel } from '../../src/model/text-model.js';
import { addon } from '../../src/native/addon.js';
import { choosePlacement } from '../../src/native/placement.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { addonLayer, httpLayer, type Layer, poolLayer } from './layers.js';
import { describeCommit, describeMachine } from './machine.js';
import { type Cell, measure } from './measure.js';
import { table } from './statistics.js';
import { makeWorkloads, readReviews, type Workload } from './workloads.js';

/** Largest difference of a confidence from the one the text gets alone. */
const TOLERANCE: Readonly<Record<Dtype, number>> = { float32: 1e-5, bfloat16: 0.03, float16: 0.01, int8: 1e-5 };
const WORKLOADS = 4;
const LAYERS = 3;

const config = loadConfig([]);
const seconds = readSeconds();
const { placement, reason } = choosePlacement(config.device, config.dtype);
const machine = describeMachine();
const commit = describeCommit();

describe('latency', function () {
  this.timeout((60 + 2 * seconds) * 1000);
  let workloads: Workload[];
  const layers: Layer[] = [];
  let model: TextModel;
  const cells: Cell[] = [];

  before(async () => {
    const source = await openModelDir(config.modelDir);
    model = TextModel.load(source, placement);
    workloads = await makeWorkloads(readReviews(), Tokenizer.load(source.tokenizerPath, source.config.maxLength));
    // One by one: when one fails to start, those before it are closed.
    layers.push(addonLayer(source, placement));
    layers.push(await poolLayer(config, placement));
    layers.push(await httpLayer(config, placement));
    process.stdout.write(`\n${heading()}\n\n`);
  });

  after(async () => {
    for (const layer of layers) await layer.close();
    model?.close();
    if (cells.length === WORKLOADS * LAYERS) report(model.source.digest, cells);
    else process.stdout.write(`\nNo result is written: ${WORKLOADS * LAYERS - cells.length} figures are missing.\n`);
  });

  // Layers of one workload are measured one after another, so that a machine that slows down slows all three.
  for (let at = 0; at < WORKLOADS * LAYERS; at++) {
    it(`answers right and loses none: figure ${at + 1} of ${WORKLOADS * LAYERS}`, async () => {
      const workload = workloads[Math.floor(at / LAYERS)]!;
      const expected: Prediction[] = [];
      for (const text of workload.texts) expected.push((await model.classify([text], 1)).results[0]!);
      const cell = await measure(layers[at % LAYERS]!, workload, seconds, expected, TOLERANCE[placement.dtype]);
      expect(cell.wrong, `${cell.layer}, ${cell.workload}`).to.equal(undefined);
      expect(cell.requests, `answers to ${cell.layer}, ${cell.workload}`).to.equal(cell.sent);
      cells.push(cell);
    });
  }
});

function readSeconds(): number {
  // Mocha takes flags it does not know and drops them, and the wrong thing would be measured.
  const flag = process.argv.find((arg) => /^--(device|dtype|model-dir|workers|seconds)\b/.test(arg));
  if (flag !== undefined) {
    throw new DistilserveError(
      'invalid_config',
      `Expected settings from the environment (DEVICE=cpu BENCH_SECONDS=2 npm run bench) but received ${flag}`,
    );
  }
  const text = process.env.BENCH_SECONDS || '5';
  const value = Number(text);
  if (value > 0 && value <= 600) return value;
  throw new DistilserveError(
    'invalid_config',
    `Expected BENCH_SECONDS to be above 0, at most 600, but received ${text}`,
  );
}

function heading(): string {
  return table(
    [
      ['machine', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`],
      ['ISA', machine.isa.join(' ') || 'unknown'],
      ['load', `${machine.loadAverage} in the minute before`],
      ['versions', `libtorch ${addon().versions().libtorch}, Node ${machine.node}`],
      ['commit', commit],
      ['placement', reason],
      ['settings', `${config.modelDir}, ${config.workers} workers, ${seconds} s a figure`],
    ],
    2,
  );
}

function report(modelDigest: string, cells: readonly Cell[]): void {
  const rows = cells.map((cell) => [
    cell.workload,
    cell.layer,
    ...[cell.p50Ms, cell.p95Ms, cell.p99Ms].map((ms) => ms.toFixed(2)),
    cell.textsPerSecond.toFixed(0),
    String(cell.requests),
  ]);
  const header = ['', '', 'p50 ms', 'p95 ms', 'p99 ms', 'texts/s', 'requests'];
  process.stdout.write(
    `\n${heading()}\n\n${table([header, ...rows], 2)}\n\naddon: concurrent singles are the rows of one call\n`,
  );
  const date = new Date().toISOString();
  const result = {
    date,
    commit,
    machine,
    libtorch: addon().versions().libtorch,
    placement: { ...placement, reason },
    model: { dir: config.modelDir, digest: modelDigest },
    settings: { seconds, workers: config.workers },
    cells: cells.map(({ wrong: _, ...cell }) => cell),
  };
  mkdirSync('bench-results', { recursive: true });
  const file = join('bench-results', `${date.replace(/\.\d+/, '').replaceAll(':', '')}-${commit}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${file}\n`);
}
