/**
 * Runs a server for the race and ends it with the race: `guard.js COMMAND ARGUMENTS`. The race holds the other end of
 * standard input, which closes however it ends, killed outright included. The server gets a process group of its own.
 */
import { spawn } from 'node:child_process';

const [command, ...args] = process.argv.slice(2);
const child = spawn(command!, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });

function endServer(): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// A Ctrl-C reaches the race too, which then closes the input.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.stdin.on('end', endServer).on('error', endServer).resume();
child.on('error', (error) => {
  process.send?.({ failed: error.message });
  process.exit(1);
});
child.on('exit', (code, signal) => {
  endServer();
  process.send?.({ failed: `ended with ${code ?? signal}` });
  process.exit(0);
});
process.send?.({ pid: child.pid });
