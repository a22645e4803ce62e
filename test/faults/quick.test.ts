import { afterAll, beforeAll, expect, it } from 'vitest';
import { runRow } from './run-row.ts';
import { ROWS } from './scenarios/rows.ts';
import { startSystemUnderFault, type SystemUnderFault } from './system-under-fault.ts';

const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
let system: SystemUnderFault;

beforeAll(async () => {
  system = await startSystemUnderFault();
});
afterAll(() => system?.stop());

it.each(ROWS.map((row) => [row.fault, row] as const))(
  '%s: nothing is lost, duplicated or miscounted, and what is promised besides holds',
  { timeout: 300_000 },
  async (_, row) => {
    const { failures, sent } = await runRow(row, system, { seed, isQuick: true });
    expect(failures, `seed ${seed}`).toEqual([]);
    expect(sent).toBeGreaterThan(0);
  },
);
