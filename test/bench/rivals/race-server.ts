import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settingsTable } from '../../../src/config.js';
import { messageOf } from '../../../src/domain/errors.js';
import { Connection, encodeRequest } from './client.js';
import type { Command } from './rivals.js';

const GUARD = fileURLToPath(new URL('./guard.js', import.meta.url));
const READY_SECONDS = 120;
const POLL_MS = 5;
/** What is longer than this in a log is no reason but a stack. */
const REASON_CHARACTERS = 160;

/** A server that answers, in a process group of its own under the guard. */
export interface RaceServer {
  readonly port: number;
  readonly pid: number;
  /** From the start of its process to its first right answer. */
  readonly readySeconds: number;
  stop(): Promise<void>;
}

export interface FirstRequest {
  readonly body: object;
  /** Throws when the answer's body is not the right one. */
  readonly check: (body: unknown) => void;
}

/** @throws Error with the server's own reason, when it ends, is not ready in time or answers wrong */
export async function startRaceServer(
  { command, args, env }: Command,
  port: number,
  logFile: string,
  first: FirstRequest,
  signal: AbortSignal,
): Promise<RaceServer> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'w');
  const guard = spawn(process.execPath, [GUARD, command, ...args], {
    detached: true,
    env: { ...environment(), ...env },
    stdio: ['pipe', log, log, 'ipc'],
  });
  closeSync(log);
  const stop = async (): Promise<void> => {
    guard.stdin?.destroy();
    if (guard.exitCode === null && guard.signalCode === null) await once(guard, 'exit');
  };
  // The guard may be gone before its input is closed.
  guard.stdin?.on('error', () => {});
  let failure: string | undefined;
  try {
    const pid = await pidOf(guard);
    const start = performance.now();
    guard.on('message', (message: { failed?: string }) => {
      failure = message.failed;
    });
    const request = encodeRequest(port, '/predict', first.body);
    for (;;) {
      signal.throwIfAborted();
      if (failure !== undefined) throw new Error(`${failure}: ${reasonIn(logFile)}`);
      const body = await ask(port, request);
      const readySeconds = (performance.now() - start) / 1000;
      if (body !== undefined) {
        first.check(JSON.parse(body.toString()));
        return { port, pid, readySeconds, stop };
      }
      if (readySeconds > READY_SECONDS) throw new Error(`not ready after ${READY_SECONDS} s: ${reasonIn(logFile)}`);
      await sleep(POLL_MS);
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

async function pidOf(guard: ChildProcess): Promise<number> {
  const [message] = (await once(guard, 'message')) as [{ pid?: number; failed?: string }];
  if (message.pid === undefined) throw new Error(message.failed ?? 'it does not start');
  return message.pid;
}

/** Undefined while nothing listens there. */
async function ask(port: number, request: Buffer): Promise<Buffer | undefined> {
  const connection = await Connection.open(port).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') return undefined;
    throw error;
  });
  if (connection === undefined) return undefined;
  try {
    const { status, body } = await connection.send(request);
    if (status !== 200) throw new Error(`Expected status 200 but received ${status} ${body.toString().slice(0, 200)}`);
    return body;
  } finally {
    connection.close();
  }
}

/** This process's, without settings of distilserve: it races as it is by default. */
function environment(): NodeJS.ProcessEnv {
  const settings = new Set(Array.from(settingsTable().matchAll(/^\| `(\w+)`/gm), ([, name]) => name));
  const kept = Object.entries(process.env).filter(([name]) => !settings.has(name));
  return { ...Object.fromEntries(kept), NODE_ENV: 'production', HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '' };
}

/** The last line logged; of a JSON line its message. */
function reasonIn(logFile: string): string {
  const line = readFileSync(logFile, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  try {
    return (JSON.parse(line) as { msg?: string }).msg ?? line;
  } catch (error) {
    return error instanceof SyntaxError ? line.slice(0, REASON_CHARACTERS) : messageOf(error);
  }
}
