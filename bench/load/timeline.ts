import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addTo, countOf, type Histogram } from './histogram.ts';

export interface Second {
  /** Since the epoch. */
  readonly at: number;
  users: number;
  readonly requests: Map<string, { failed: number; readonly ms: Histogram }>;
}

export interface Timeline {
  readonly seconds: readonly Second[];
  /** What went wrong, how often. */
  readonly faults: ReadonlyMap<string, number>;
}

interface Line {
  readonly at: number;
  readonly users: number;
  readonly requests: Readonly<
    Record<string, { readonly failed: number; readonly ms: Readonly<Record<string, number>> }>
  >;
  readonly faults: Readonly<Record<string, number>>;
}

export type Kind = 'read' | 'write';

/** By the names that locust/people.py gives its requests. */
export function kindOf(name: string): Kind {
  return name.endsWith(': popular') ? 'read' : 'write';
}

/** Every second of the run, all processes together. */
export function readTimeline(folder: string): Timeline {
  const seconds = new Map<number, Second>();
  const faults = new Map<string, number>();
  for (const name of readdirSync(folder).filter((name) => /^timeline-\d+\.ndjson$/.test(name))) {
    for (const text of readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean)) {
      const line: Line = JSON.parse(text);
      const at = Math.floor(line.at);
      const second = seconds.get(at) ?? { at, users: 0, requests: new Map() };
      seconds.set(at, second);
      second.users += line.users;
      for (const [name, { failed, ms }] of Object.entries(line.requests)) {
        const known = second.requests.get(name) ?? { failed: 0, ms: new Map() };
        second.requests.set(name, known);
        known.failed += failed;
        addTo(known.ms, new Map(Object.entries(ms).map(([bucket, count]) => [Number(bucket), count])));
      }
      for (const [fault, count] of Object.entries(line.faults)) faults.set(fault, (faults.get(fault) ?? 0) + count);
    }
  }
  return { seconds: [...seconds.values()].toSorted((a, b) => a.at - b.at), faults };
}

export interface Totals {
  readonly requests: number;
  readonly failed: number;
  readonly ms: Histogram;
}

/** The requests of some seconds, all of them or those of a kind. */
export function totals(seconds: readonly Second[], wanted: (name: string) => boolean = () => true): Totals {
  const ms: Histogram = new Map();
  let failed = 0;
  for (const { requests } of seconds) {
    for (const [name, of] of requests) {
      if (!wanted(name)) continue;
      addTo(ms, of.ms);
      failed += of.failed;
    }
  }
  return { requests: countOf(ms), failed, ms };
}
