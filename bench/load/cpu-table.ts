import { sumOf } from './cpu-meter.ts';
import type { SystemOutcome } from './outcome.ts';

export const CPU_HEADER = ['CPU seconds of', 'users', 'reads, saturated', 'writes, saturated'] as const;

/** Where one system's CPU went, the busiest part first. */
export function cpuTable({ title, scenario, saturation }: SystemOutcome): string[][] {
  const columns = [
    scenario.snapshots.at(-1)?.cpuSeconds ?? new Map<string, number>(),
    ...(saturation === null ? [] : [saturation.read.cpuSeconds, saturation.write.cpuSeconds]),
  ];
  const total = (part: string): number => columns.reduce((sum, column) => sum + (column.get(part) ?? 0), 0);
  const parts = [...new Set(columns.flatMap((column) => [...column.keys()]))].toSorted((a, b) => total(b) - total(a));
  return [
    ...parts.map((part) => [part, ...columns.map((column) => (column.get(part) ?? 0).toFixed(1))]),
    [`${title}, together`, ...columns.map((column) => sumOf(column).toFixed(1))],
  ];
}
