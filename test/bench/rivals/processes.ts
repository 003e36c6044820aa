/** What /proc says of processes and of the machine; where there is no /proc, nothing. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** A process and all below it. */
function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of list('/proc')) {
    const pid = Number(name);
    const parent = Number(fieldsOf(pid)[1]);
    if (Number.isInteger(pid) && parent > 0) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (let at = 0; at < tree.length; at++) tree.push(...(children.get(tree[at]!) ?? []));
  return tree;
}

/** Resident memory of a process and all below it, in MiB; undefined where the system does not tell. */
export function residentMiB(root: number): number | undefined {
  const kibibytes = processTree(root).map((pid) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0),
  );
  const sum = kibibytes.reduce((total, one) => total + one, 0);
  return sum === 0 ? undefined : Math.round(sum / 1024);
}

/** Seconds of CPU that a process and all below it have used. */
export function cpuSeconds(root: number): number {
  const ticks = processTree(root).map((pid) => {
    const fields = fieldsOf(pid);
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  });
  return ticks.reduce((total, one) => total + one, 0) / TICKS_PER_SECOND;
}

/** Seconds of CPU that the whole machine has used, what its host took from it included. */
export function machineSeconds(): number {
  const [line = ''] = read('/proc/stat').split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softIrq + steal) / TICKS_PER_SECOND;
}

/** The fields of /proc/PID/stat behind the name, which may hold anything: state, parent, … */
function fieldsOf(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

// Processes come and go while they are looked at.
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
