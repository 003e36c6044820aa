import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PROJECT_ROOT } from './render.js';

export type LogLine = Readonly<Record<string, unknown>>;

/** The real server, as production runs it, on a free port. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    /** Every line logged so far. */
    readonly logs: readonly LogLine[],
  ) {}

  /** Resolves when the server listens. Settings of the environment hold, flags win over them. */
  static async start(...flags: readonly string[]): Promise<ServerProcess> {
    const child = spawn(process.execPath, [join(PROJECT_ROOT, 'dist/src/main.js'), '--port', '0', ...flags], {
      cwd: PROJECT_ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const logs: LogLine[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (text) => {
        const line = JSON.parse(text) as LogLine;
        logs.push(line);
        if (typeof line.url === 'string') resolve(line.url);
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`Expected the server to listen but it ended with ${code}`)));
    });
    return new ServerProcess(child, url, logs);
  }

  /** SIGTERM; resolves to the exit code. Idempotent. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    return code;
  }
}
