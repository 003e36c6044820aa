/** What a figure was measured on: without it no two figures can be compared. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { PROJECT_ROOT } from '../helpers/fixtures.js';

export interface Machine {
  readonly cpu: string;
  /** That this process may use. */
  readonly cores: number;
  readonly memoryGiB: number;
  /** Instruction sets that matter to matrix products, in the kernel's words; empty where it does not tell. */
  readonly isa: readonly string[];
  readonly system: string;
  readonly node: string;
  /** Of the minute before, by other work: figures beside a load of 1 or more say little. */
  readonly loadAverage: number;
}

/** AVX2 and FMA, AVX-512, VNNI, bfloat16 and float16, AMX on x86; NEON, SVE and their kin on ARM. */
const ISA =
  /^(avx2|fma|f16c|avx512(f|bw|vl|_vnni|_bf16|_fp16)|avx_vnni|avx_vnni_int8|amx_\w+|asimd|asimdhp|asimddp|i8mm|bf16|sve2?)$/;

/** The instruction sets named in the text of /proc/cpuinfo. */
export function isaOf(cpuinfo: string): string[] {
  const [, flags = ''] = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo) ?? [];
  return flags.split(' ').filter((flag) => ISA.test(flag));
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    isa: process.platform === 'linux' ? isaOf(readFileSync('/proc/cpuinfo', 'utf8')) : [],
    system: `${process.platform}-${process.arch} ${release()}`,
    node: process.version,
    loadAverage: Number(loadavg()[0]!.toFixed(2)),
  };
}

/** The checkout's commit, with `+changes` where tracked files differ from it. */
export function describeCommit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: PROJECT_ROOT, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '+changes' : ''}`;
}
