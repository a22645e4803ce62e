import { parseArgs } from 'node:util';
import { accept } from './accept.ts';
import { cachedRead } from './cached-read.ts';
import { capacity } from './capacity.ts';
import { capacityPlan } from './capacity-plan.ts';
import { table, type Figure } from './figure.ts';
import { importRows } from './import-rows.ts';
import { miss } from './miss.ts';
import { overload } from './overload.ts';
import { run } from './program.ts';
import { record } from './record.ts';
import { scale } from './scale.ts';
import { tracing } from './tracing.ts';

/** In the order of the table. */
const PIECES: Readonly<Record<string, () => Promise<Figure[]>>> = {
  'cached-read': cachedRead,
  accept,
  tracing,
  record,
  miss,
  import: importRows,
  scale,
  overload,
  capacity,
  'capacity-plan': capacityPlan,
};
/** They write their page, so they run only when named. */
const ON_REQUEST = new Set(['capacity', 'capacity-plan']);
/** Nothing here takes so long by itself; what hangs ends. */
const DEADLINE_MS = 15 * 60_000;

/** `npm run bench [-- NAME …]`. A low figure is no failure: the exit code says only whether it could be measured. */
async function main(): Promise<void> {
  const { positionals } = parseArgs({ allowPositionals: true });
  const unknown = positionals.filter((name) => !Object.hasOwn(PIECES, name));
  if (unknown.length > 0) {
    process.stderr.write(`unknown: ${unknown.join(', ')}; npm run bench [-- ${Object.keys(PIECES).join(' | ')} …]\n`);
    process.exitCode = 64;
    return;
  }
  const deadline = setTimeout(() => {
    process.stderr.write('the benchmark takes too long: it ends here\n');
    process.exit(1);
  }, DEADLINE_MS);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

  await run(['scripts/build.mjs'], {});
  const figures: Figure[] = [];
  for (const [name, piece] of Object.entries(PIECES)) {
    if (positionals.length > 0 ? !positionals.includes(name) : ON_REQUEST.has(name)) continue;
    const startedAt = performance.now();
    process.stderr.write(`${name} …\n`);
    try {
      const measured = await piece();
      figures.push(...measured);
      process.stderr.write(`${table(measured)}\n`);
    } catch (error) {
      process.stderr.write(`${name} could not be measured: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    }
    process.stderr.write(`${name}: ${Math.round((performance.now() - startedAt) / 1_000)} s\n\n`);
  }
  clearTimeout(deadline);
  process.stdout.write(`${table(figures)}\n`);
}

await main();
