import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PROJECT_ROOT } from './fixtures.js';
import type { LogLine } from './server.js';

export interface ServerProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Every line logged so far. */
  readonly logs: readonly LogLine[];
  /** Exit code and signal, once the process has ended. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Asks it to end (SIGTERM) and resolves to its exit code; at once when it has ended already. */
  stop(): Promise<number | null>;
}

export interface ServerProcessOptions {
  /** Win over the environment. */
  readonly flags?: readonly string[];
  /** Added to this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The server as `node dist/src/main.js`, on a free port; resolves when it says that it listens. */
export async function startServerProcess({ flags = [], env = {} }: ServerProcessOptions): Promise<ServerProcess> {
  const child = spawn(process.execPath, [join(PROJECT_ROOT, 'dist/src/main.js'), '--port', '0', ...flags], {
    cwd: PROJECT_ROOT,
    // It says where it listens at level info.
    env: { ...process.env, LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const logs: LogLine[] = [];
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  const url = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const log = JSON.parse(line) as LogLine;
      logs.push(log);
      if (typeof log.url === 'string') resolve(log.url);
    });
  });
  const failed = exited.then(({ code, signal }) => {
    throw new Error(`The server ended with ${code ?? signal} before it listened: ${JSON.stringify(logs)} ${stderr}`);
  });
  const stop = async () => {
    child.kill('SIGTERM');
    return (await exited).code;
  };
  return { url: await Promise.race([url, failed]), child, logs, exited, stop };
}

/** Ends it, however the test went. */
export async function stopServerProcess(server: ServerProcess | undefined): Promise<void> {
  if (server === undefined) return;
  if (server.child.exitCode === null && server.child.signalCode === null) server.child.kill('SIGKILL');
  await server.exited;
}
