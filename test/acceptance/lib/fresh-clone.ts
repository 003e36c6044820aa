import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cleanEnvironment } from './clean-environment.js';
import { Timeline } from './timeline.js';

const run = promisify(execFile);

interface ProcessRow {
  readonly pid: number;
  readonly group: number;
  readonly command: string;
}

/** A program of the clone and what it started: a process group of its own. */
export interface Started {
  readonly pid: number;
  /** Resolves when it has ended: the exit code, or null after a signal. */
  readonly ended: Promise<number | null>;
}

/** A clone of a repository's HEAD in an empty directory, with an empty home, and everything started in it. */
export class FreshClone {
  readonly #started: ChildProcess[] = [];
  readonly #env: Record<string, string>;

  private constructor(
    private readonly root: string,
    readonly commit: string,
    readonly timeline: Timeline,
  ) {
    this.#env = cleanEnvironment(process.env, join(root, 'home'));
  }

  static async make(repository: string, write: (text: string) => void): Promise<FreshClone> {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'distilserve-fresh-')));
    try {
      await mkdir(join(root, 'home'));
      await run('git', ['clone', '--quiet', repository, join(root, 'clone')]);
      const { stdout } = await run('git', ['-C', join(root, 'clone'), 'log', '-1', '--format=%h %s']);
      return new FreshClone(root, stdout.trim(), new Timeline(write));
    } catch (error) {
      await rm(root, { recursive: true, force: true });
      throw error;
    }
  }

  /** Starts a program; each line it prints is shown with the time, and handed to `onLine`. */
  start(
    command: readonly [string, ...string[]],
    env: Readonly<Record<string, string>> = {},
    onLine: (line: string) => void = () => {},
  ): Started {
    const [program, ...args] = command;
    this.timeline.step(command.join(' '));
    const child = spawn(program, args, {
      cwd: join(this.root, 'clone'),
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#started.push(child);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.timeline.line(line);
        onLine(line);
      });
    }
    const ended = once(child, 'exit').then(([code]) => code as number | null);
    // Whoever waits gets the error (npm is not there); until then it is not an unhandled one.
    ended.catch(() => {});
    return { pid: child.pid ?? -1, ended };
  }

  /** What still runs of all that was started here: members of those process groups, and commands that name the clone. */
  async leftovers(): Promise<ProcessRow[]> {
    const { stdout } = await run('ps', ['-A', '-ww', '-o', 'pid=,pgid=,stat=,args=']);
    const groups = new Set(this.#started.map(({ pid }) => pid));
    return stdout.split('\n').flatMap((line) => {
      const [, pid, group, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
      if (command === undefined || state!.startsWith('Z')) return [];
      const ours = groups.has(Number(group)) || command.includes(this.root);
      return ours ? [{ pid: Number(pid), group: Number(group), command }] : [];
    });
  }

  /** Ends what still runs and removes the clone and its home. */
  async remove(): Promise<void> {
    for (const { pid } of await this.leftovers()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // It has ended by itself in the meantime.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await rm(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}
