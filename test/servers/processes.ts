import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type ProcessInfo = {
  pid: number;
  parentPid: number;
  command: string;
  /** Command line, environment and working directory: a process of a test run carries the run's id in one of them. */
  traces: string;
};

/** Every process that still runs, or those `among` some. Zombies are left out: in a container nobody may ever reap them. */
export function listProcesses(among?: readonly number[]): ProcessInfo[] {
  if (process.platform === 'linux') return listFromProc(among ?? pidsInProc());
  return listFromPs().filter(({ pid }) => among?.includes(pid) ?? true);
}

/** `pid` itself, then everything below it. */
export function processTree(pid: number): number[] {
  const processes = listProcesses();
  const tree = processes.some((candidate) => candidate.pid === pid) ? [pid] : [];
  for (const parent of tree) {
    for (const candidate of processes) if (candidate.parentPid === parent) tree.push(candidate.pid);
  }
  return tree;
}

/** Signals each pid; those already gone are passed over. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

function pidsInProc(): number[] {
  return readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));
}

function listFromProc(pids: readonly number[]): ProcessInfo[] {
  const found: ProcessInfo[] = [];
  for (const pid of pids) {
    const stat = readOrEmpty(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
    // The name in brackets may hold spaces and brackets of its own, so fields are counted from the last one.
    const [state, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (!state || state === 'Z' || state === 'X' || !parentPid) continue;
    const command = readOrEmpty(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      .replaceAll('\0', ' ')
      .trim();
    if (!command) continue;
    const environment = readOrEmpty(() => readFileSync(`/proc/${pid}/environ`, 'utf8'));
    const directory = readOrEmpty(() => readlinkSync(`/proc/${pid}/cwd`));
    found.push({
      pid,
      parentPid: Number(parentPid),
      command,
      traces: `${command}\n${environment}\n${directory}`,
    });
  }
  return found;
}

function listFromPs(): ProcessInfo[] {
  const table = execFileSync('ps', ['-A', '-E', '-ww', '-o', 'pid=,ppid=,stat=,command='], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return table.split('\n').flatMap((line) => {
    const [, pid, parentPid, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (!pid || !parentPid || !command || state?.startsWith('Z')) return [];
    return [{ pid: Number(pid), parentPid: Number(parentPid), command, traces: command }];
  });
}

/** A process may end while it is read, and another user's may not be read at all. */
function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
