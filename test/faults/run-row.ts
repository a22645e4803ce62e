import { inspect } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { compareLedger } from '../../bench/load/compare-ledger.ts';
import { recordedRow } from '../../bench/load/loaded-system.ts';
import { recountRollups } from '../../bench/load/recount-rollups.ts';
import { createRandom } from '../../src/demo/random.ts';
import { query } from '../servers/query.ts';
import { waitFor } from '../servers/wait-for.ts';
import { createLedger } from './ledger.ts';
import { viewerOf } from './publish.ts';
import { startReading, type Reading } from './reading.ts';
import type { Arena, Row, RowResult } from './row.ts';
import { missingOf, type SystemUnderFault } from './system-under-fault.ts';
import { startWriting, type Traffic } from './traffic.ts';

const ITEMS = 12;
/** At most, between two writes of one client. In short the tests beside it need the machine as well. */
const GAP_MS = 60;
const QUICK_GAP_MS = 120;
const RECOVERY_MS = 60_000;
const RECORDED = `
  SELECT interactions.id, viewer, items.id AS item, type::text, retraction
  FROM interactions JOIN items ON items.key = item_key WHERE items.id LIKE $1`;
const COUNT = `
  SELECT count(*)::integer AS count FROM interactions JOIN items ON items.key = item_key WHERE items.id LIKE $1`;

export interface RowOptions {
  readonly seed: number;
  readonly isQuick: boolean;
  /** So many times what is promised may anything take. */
  readonly slack?: number;
}

/** One row, on a system that is well, and well again when it ends. Never rejects: what went wrong is in the result. */
export async function runRow(
  row: Row,
  system: SystemUnderFault,
  { seed, isQuick, slack = 1 }: RowOptions,
): Promise<RowResult> {
  const startedAtMs = performance.now();
  const random = createRandom(seed ^ hashOf(row.name));
  const ledger = createLedger();
  const items = Array.from({ length: ITEMS }, (_, n) => `${row.name}-${n}`);
  const pattern = `${row.name}-%`;
  const writings: Traffic[] = [];
  const readings: Reading[] = [];
  const conditions: RowResult['conditions'][number][] = [];
  const failures: string[] = [];
  let recoverySeconds = 0;
  const clientRandom = (): (() => number) => createRandom(Math.floor(random() * 2 ** 32));

  async function recovers(): Promise<void> {
    const fromMs = performance.now();
    let missing = ledger.acceptedIds();
    let problem: string | null = null;
    try {
      await waitFor(
        'everything to be well again',
        async () => {
          problem = await system.problem();
          if (problem !== null) return false;
          missing = await missingOf(system.databaseUrl, missing);
          return missing.length === 0;
        },
        { deadlineMs: RECOVERY_MS },
      );
    } catch {
      failures.push(`not well after ${RECOVERY_MS / 1_000} s: ${problem ?? `${missing.length} are not recorded`}`);
    }
    recoverySeconds = Math.max(recoverySeconds, (performance.now() - fromMs) / 1_000);
  }

  const arena: Arena = {
    system,
    isQuick,
    random,
    items,
    ledger,
    write(options = {}) {
      const defaults = { url: system.api.url, gapMs: isQuick ? QUICK_GAP_MS : GAP_MS };
      const writing = startWriting({ ...defaults, ...options, items, ledger, random: clientRandom() });
      writings.push(writing);
      return writing;
    },
    read(options = {}) {
      const reading = startReading({ url: system.api.url, random: clientRandom(), ...options });
      readings.push(reading);
      return reading;
    },
    recovers,
    holds: (what, isMet, value) => void conditions.push({ what, isMet, value }),
    tookLess(what, tookMs, limitMs) {
      conditions.push({ what, isMet: tookMs < limitMs * slack, value: `${Math.round(tookMs)} ms` });
    },
    nearlyAll: isQuick ? 0.9 : 0.99,
    between: (from, to) => from + Math.floor(random() * (to - from)),
    wait: (ms) => delay(ms),
    async countRecorded() {
      const [counted] = await query(system.databaseUrl, COUNT, [pattern]);
      return Number(counted?.['count']);
    },
  };

  try {
    await waitFor('a system that is well', async () => (await system.problem()) === null, { deadlineMs: RECOVERY_MS });
    await system.addItems(items);
    await row.run(arena);
  } catch (error) {
    failures.push(inspect(error, { depth: 2 }));
  }
  await system.heal();
  await Promise.all([...writings, ...readings].map((traffic) => traffic.stop()));
  // One that did not recover has been waited for.
  const deadlineMs = failures.length === 0 ? RECOVERY_MS : 2_000;
  const isSettled = async (): Promise<boolean> =>
    (await missingOf(system.databaseUrl, ledger.acceptedIds())).length === 0;
  await waitFor('the last ones', isSettled, { deadlineMs }).catch(() => undefined);

  let verdict = compareLedger(new Map(), [], viewerOf);
  let miscounts: string[] = [];
  try {
    const rows = (await query(system.databaseUrl, RECORDED, [pattern])).map(recordedRow);
    verdict = compareLedger(ledger.entries(), rows, viewerOf);
    miscounts = await recountRollups(system.databaseUrl);
  } catch (error) {
    failures.push(`what is in Postgres could not be read: ${inspect(error, { depth: 2 })}`);
  }
  const duplicated = verdict.doubled + verdict.changed + verdict.invented;
  if (verdict.lost > 0) failures.push(`${verdict.lost} lost`);
  if (duplicated > 0) failures.push(`${duplicated} duplicated`);
  failures.push(...verdict.examples, ...miscounts.slice(0, 3).map((line) => `miscounted: ${line}`));
  for (const { what, isMet, value } of conditions) if (!isMet) failures.push(`${what}: ${value}`);
  const wrong = [...writings, ...readings].flatMap(({ faults }) => faults);
  if (wrong.length > 0) failures.push(`${wrong.length} wrong answers, such as ${wrong[0]}`);
  if (ledger.counts().sent === 0) failures.push('nothing was sent');
  const exchanges = writings.flatMap((writing) => writing.exchanges);
  return {
    name: row.name,
    fault: row.fault,
    ...ledger.counts(),
    lost: verdict.lost,
    duplicated,
    drift: miscounts.length,
    worstMs: exchanges.reduce((worst, { ms }) => Math.max(worst, ms), 0),
    recoverySeconds,
    conditions,
    failures,
    tookSeconds: (performance.now() - startedAtMs) / 1_000,
  };
}

function hashOf(text: string): number {
  let hash = 0;
  for (const character of text) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) | 0;
  return hash;
}
