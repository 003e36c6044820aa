/** Measures what the machine can do at most: limits.py for memory and arithmetic, a server that does nothing for HTTP. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runChild } from '../../../src/setup/child.js';
import { freePort } from '../../acceptance/lib/right-answers.js';
import { figuresOf } from '../statistics.js';
import { encodeRequest, runLoad } from './client.js';
import type { Limits } from './floors.js';
import { PYTHON_SOURCES, type RacePaths, SERVERS } from './paths.js';
import { startRaceServer } from './race-server.js';
import type { RaceTexts } from './requests.js';

const SECONDS = 3;

export async function measureLimits(
  sizes: readonly number[],
  texts: RaceTexts,
  paths: RacePaths,
  scale: number,
  signal: AbortSignal,
): Promise<Limits> {
  const args = ['--threads', String(availableParallelism()), '--scale', String(scale), '--sizes', ...sizes.map(String)];
  const { code, output } = await runChild(paths.python, [join(PYTHON_SOURCES, 'limits.py'), ...args], { signal });
  if (code !== 0) throw new Error(`Expected limits.py to measure the machine but it ended with ${code}: ${output}`);
  const measured = JSON.parse(output.trimEnd().split('\n').at(-1)!) as Pick<Limits, 'readGBps' | 'gops'>;
  return { ...measured, ...(await measureBareServer(texts, paths, scale, signal)) };
}

async function measureBareServer(texts: RaceTexts, paths: RacePaths, scale: number, signal: AbortSignal) {
  const port = await freePort();
  const command = { command: process.execPath, args: [join(SERVERS, 'bare.js')], env: { PORT: String(port) } };
  const single = { text: texts.short[0] };
  const first = { body: single, check: () => {} };
  const server = await startRaceServer(command, port, join(paths.logs, 'bare.log'), first, signal);
  try {
    const p50 = async (body: object): Promise<number> => {
      const requests = [encodeRequest(port, '/predict', body)];
      const load = {
        port,
        requests,
        connections: 1,
        count: Number.POSITIVE_INFINITY,
        seconds: SECONDS * scale,
        signal,
      };
      await runLoad(load);
      const { latenciesMs, elapsedMs } = await runLoad(load);
      return figuresOf(latenciesMs, 1, elapsedMs).p50Ms;
    };
    return { bareSingleMs: await p50(single), bareBatchMs: await p50({ texts: texts.batches[0] }) };
  } finally {
    await server.stop();
  }
}
