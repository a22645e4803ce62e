import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TIMES_SHORTER = 20;
/** Burn rates look days back. What ends them is the short window of each pair, up to 6 h: 90 s then. */
const TIMES_SHORTER_OF_BURN_RATES = 240;
/** Five scrapes: a rate needs two, and on a busy machine some come late. */
const SHORTEST_SECONDS = 15;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * Makes the rules in a copy of deploy/prometheus quick enough for a test: scrapes every 3 s, windows a twentieth as long, a
 * 240th in slo.yml (15 s at the least), no `for`. What is compared with what, and the limits, stay as they are.
 */
export function shortenRules(directory: string): void {
  change(join(directory, 'prometheus.yml'), (text) =>
    text
      .replace(/scrape_interval: .*/, 'scrape_interval: 3s')
      .replace(/scrape_timeout: .*/, 'scrape_timeout: 3s')
      .replace(/evaluation_interval: .*/, 'evaluation_interval: 1s'),
  );
  for (const name of readdirSync(join(directory, 'rules'))) {
    const times = name === 'slo.yml' ? TIMES_SHORTER_OF_BURN_RATES : TIMES_SHORTER;
    change(join(directory, 'rules', name), (text) =>
      text
        .replace(/^ +for: .*\n/gm, '')
        .replace(/\[(\d+)([smhd])\]/g, (_, count: string, unit: string) => `[${shorter(Number(count), unit, times)}s]`),
    );
  }
}

function shorter(count: number, unit: string, times: number): number {
  return Math.max(SHORTEST_SECONDS, Math.round((count * (SECONDS[unit] ?? Number.NaN)) / times));
}

function change(file: string, to: (text: string) => string): void {
  writeFileSync(file, to(readFileSync(file, 'utf8')));
}
