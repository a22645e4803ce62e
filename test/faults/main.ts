import { messageOf } from '../../src/runtime/errors.ts';
import { startFromRelease } from '../commands/command-root.ts';
import { provision } from '../servers/provision.ts';
import { checkMutations } from './check-mutations.ts';
import { parseOptions, USAGE, type FaultOptions } from './options.ts';
import { describeRun, writeReport } from './report.ts';
import { runRow } from './run-row.ts';
import type { RowResult } from './row.ts';
import { ROWS } from './scenarios/rows.ts';
import { startSystemUnderFault } from './system-under-fault.ts';
import { table } from './table.ts';

const EXIT_USAGE = 64;
/** On two cores. Over it the quick form is not quick, and the full one nothing that anybody waits for. */
const MOST_SECONDS = { quick: 300, full: 2_700 };

/** `npm run test:faults`: 0 when every row held, and in time, 1 when not. */
async function main(): Promise<void> {
  let options: FaultOptions;
  try {
    options = parseOptions(
      process.argv.slice(2),
      ROWS.map(({ name }) => name),
    );
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  await provision();
  if (options.mutations) {
    process.exitCode = (await checkMutations(options)) ? 0 : 1;
    return;
  }
  const run = describeRun(options.seed, options.isQuick ? 'each row in its short form' : 'each row in full');
  process.stderr.write(`${run}\n`);
  const startedAtMs = performance.now();
  const results = await runRows(options);
  const tookSeconds = (performance.now() - startedAtMs) / 1_000;
  const mostSeconds = options.isQuick ? MOST_SECONDS.quick : MOST_SECONDS.full;
  const isTooSlow = tookSeconds > mostSeconds;
  const limit = isTooSlow ? `, over ${mostSeconds} s: FAILS` : '';
  process.stderr.write(`${'all'.padEnd(24)} ${tookSeconds.toFixed(1).padStart(6)} s${limit}\n`);
  const text = `${table(results)}\n\n${run}`;
  process.stdout.write(`${text}\n`);
  if (options.report) writeReport('table', text);
  process.exitCode = !isTooSlow && results.every(({ failures }) => failures.length === 0) ? 0 : 1;
}

async function runRows(options: FaultOptions): Promise<RowResult[]> {
  const rows = ROWS.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  await startFromRelease();
  const system = await startSystemUnderFault();
  const results: RowResult[] = [];
  try {
    for (const row of rows) {
      const result = await runRow(row, system, options);
      results.push(result);
      const verdict = result.failures.length === 0 ? 'holds' : `FAILS\n  ${result.failures.join('\n  ')}`;
      process.stderr.write(`${row.name.padEnd(24)} ${result.tookSeconds.toFixed(1).padStart(6)} s  ${verdict}\n`);
    }
  } finally {
    await system.stop();
  }
  return results;
}

await main();
