import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Row } from './row.ts';
import { runRow } from './run-row.ts';
import { startSystemUnderFault, type SystemUnderFault } from './system-under-fault.ts';

/** Nobody knows how fast the machine of a test is: what takes this many times too long is wrong on any. */
const SLACK = 3;

/** A test for each row in its short form, all on one system. */
export function testQuickRows(rows: readonly Row[]): void {
  const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  let system: SystemUnderFault;

  beforeAll(async () => {
    system = await startSystemUnderFault();
  });
  afterAll(() => system?.stop());

  it.each(rows.map((row) => [row.fault, row] as const))(
    '%s: nothing is lost, duplicated or miscounted, and what is promised besides holds',
    { timeout: 300_000 },
    async (_, row) => {
      const { failures, sent } = await runRow(row, system, { seed, isQuick: true, slack: SLACK });
      expect(failures, `seed ${seed}`).toEqual([]);
      expect(sent).toBeGreaterThan(0);
    },
  );
}
