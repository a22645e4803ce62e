import { readFileSync } from 'node:fs';

export interface CpuMeter {
  /** Seconds of CPU that each part has had since the meter began. */
  read(): ReadonlyMap<string, number>;
}

/** Ticks of /proc per second, the same on every Linux that Node runs on. */
const TICKS = 100;

/** The CPU of a stack's parts, processes that come later included. Linux only. */
export function createCpuMeter(processes: () => ReadonlyMap<number, string>): CpuMeter {
  const last = new Map<number, number>();
  const parts = new Map<string, number>();

  function look(isFirst: boolean): void {
    for (const [pid, part] of processes()) {
      const seconds = cpuSeconds(pid);
      if (seconds === null) continue;
      const before = last.get(pid) ?? (isFirst ? seconds : 0);
      parts.set(part, (parts.get(part) ?? 0) + Math.max(0, seconds - before));
      last.set(pid, seconds);
    }
  }
  look(true);
  return {
    read() {
      look(false);
      return new Map(parts);
    },
  };
}

export function sumOf(parts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const seconds of parts.values()) sum += seconds;
  return sum;
}

function cpuSeconds(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return null;
  }
}
