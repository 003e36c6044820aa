import { spawn } from 'node:child_process';

export interface ChildOptions {
  readonly signal?: AbortSignal | undefined;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

export interface ChildResult {
  readonly code: number | null;
  /** stdout and stderr in the order they came. */
  readonly output: string;
}

/**
 * Runs a program to its end and keeps what it printed. It gets a process group of its own, so that an abort ends its
 * children too (cmake-js's compilers) before this rejects with the signal's reason.
 *
 * @throws the system's error with code ENOENT when there is no such program
 */
export function runChild(command: string, args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  const { signal, env, onLine } = options;
  return new Promise((resolvePromise, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...env },
    });
    let output = '';
    let pending = '';
    const take = (text: string): void => {
      output += text;
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    const stop = (): void => {
      // A child whose start failed has no pid; process groups are addressed by their negative number.
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (child.pid !== undefined && !ended) process.kill(-child.pid, 'SIGTERM');
    };
    signal?.addEventListener('abort', stop, { once: true });
    child.on('error', (error) => {
      signal?.removeEventListener('abort', stop);
      reject(error);
    });
    child.on('close', (code) => {
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted) reject(signal.reason);
      else resolvePromise({ code, output });
    });
  });
}

/** Whether a program is there and starts. */
export async function hasProgram(command: string, args: readonly string[] = ['--version']): Promise<boolean> {
  try {
    return (await runChild(command, args)).code === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
