import { sumOf } from './cpu-meter.ts';
import type { SystemOutcome } from './outcome.ts';

/** Where one system's CPU went, the busiest part first, with a column for each thing that was measured. */
export function cpuTable({ title, scenario, saturation }: SystemOutcome): { header: string[]; rows: string[][] } {
  const measured: [string, ReadonlyMap<string, number>][] = [
    ['users', scenario.snapshots.at(-1)?.cpuSeconds ?? new Map<string, number>()],
  ];
  if (saturation !== null) {
    measured.push(['reads, saturated', saturation.read.cpuSeconds], ['writes, saturated', saturation.write.cpuSeconds]);
  }
  const columns = measured.map(([, cpuSeconds]) => cpuSeconds);
  const total = (part: string): number => columns.reduce((sum, column) => sum + (column.get(part) ?? 0), 0);
  const parts = [...new Set(columns.flatMap((column) => [...column.keys()]))].toSorted((a, b) => total(b) - total(a));
  return {
    header: ['CPU seconds of', ...measured.map(([what]) => what)],
    rows: [
      ...parts.map((part) => [part, ...columns.map((column) => (column.get(part) ?? 0).toFixed(1))]),
      [`${title}, together`, ...columns.map((column) => sumOf(column).toFixed(1))],
    ],
  };
}
