import type { Samples } from './loaded-system.ts';

const SAMPLE = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)/;

/** Prometheus' text format, the samples of several processes added up. */
export function parseSamples(texts: readonly string[]): Samples {
  const samples = new Map<string, number>();
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [, series, value] = SAMPLE.exec(line) ?? [];
    if (series !== undefined && value !== undefined) samples.set(series, (samples.get(series) ?? 0) + Number(value));
  }
  return samples;
}

/** By how much all series of a counter have grown, those whose labels hold `label`. */
export function growth(before: Samples, after: Samples, counter: string, label = ''): number {
  let sum = 0;
  for (const [series, value] of after) {
    if (!isOf(series, counter) || !series.includes(label)) continue;
    sum += value - (before.get(series) ?? 0);
  }
  return sum;
}

/** The bound within which the share of what a histogram counted between two scrapes lies; NaN where it counted nothing. */
export function histogramPercentile(before: Samples, after: Samples, histogram: string, share: number): number {
  const bounds = new Map<number, number>();
  for (const [series, value] of after) {
    const bound = isOf(series, `${histogram}_bucket`) ? /le="([^"]+)"/.exec(series)?.[1] : undefined;
    if (bound === undefined) continue;
    const le = bound === '+Inf' ? Infinity : Number(bound);
    bounds.set(le, (bounds.get(le) ?? 0) + value - (before.get(series) ?? 0));
  }
  const sorted = [...bounds].toSorted(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total === 0) return Number.NaN;
  return sorted.find(([, count]) => count >= total * share)?.[0] ?? Number.NaN;
}

function isOf(series: string, name: string): boolean {
  return series === name || series.startsWith(`${name}{`);
}
