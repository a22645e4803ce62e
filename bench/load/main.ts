import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../src/runtime/errors.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { provision } from '../../test/servers/provision.ts';
import { conclude } from './conclude.ts';
import { ITEMS, writeHistory, type History } from './history.ts';
import { judge } from './judge.ts';
import { provisionLoad } from './load-programs.ts';
import type { LoadedSystem } from './loaded-system.ts';
import { parseOptions, USAGE, type LoadOptions } from './options.ts';
import type { SystemOutcome } from './outcome.ts';
import { report } from './report.ts';
import { runScenario } from './run-scenario.ts';
import { saturate } from './saturate.ts';
import { startDjango } from './start-django.ts';
import { startGroundswell } from './start-groundswell.ts';
import { summary } from './summary.ts';

const EXIT_USAGE = 64;

/** `npm run load`: 0 when every promise was kept, 1 when one was not or could not be measured. */
async function main(): Promise<void> {
  let options: LoadOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const [loadBefore = Number.NaN] = loadavg();
  await provision();
  await provisionLoad(options.peer);

  const folder = testDirectory('load');
  const history = await writeHistory(folder, options.history);
  const ours = await loaded('groundswell', startGroundswell, options, history, folder);
  const systems: SystemOutcome[] = [ours];
  let peerFault: unknown = null;
  if (options.peer === 'django') {
    // Ours is worth its report without a peer, too.
    await loaded('django', startDjango, options, history, folder).then(
      (peer) => systems.push(peer),
      (error: unknown) => (peerFault = error),
    );
  }

  const cores = cpus();
  const machine = `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
  const outcome = { options, at: new Date(), machine, loadBefore, systems };
  mkdirSync(options.report, { recursive: true });
  writeFileSync(join(options.report, 'report.html'), report(outcome));
  writeFileSync(join(options.report, 'summary.md'), summary(outcome));
  process.stdout.write(`${summary(outcome)}\n${join(options.report, 'report.html')}\n`);

  const { exitCode, faults } = conclude(ours, peerFault);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = exitCode;
}

async function loaded(
  name: string,
  start: (history: History, folder: string) => Promise<LoadedSystem>,
  options: LoadOptions,
  history: History,
  folder: string,
): Promise<SystemOutcome> {
  process.stderr.write(`${name}: starting\n`);
  await using system = await start(history, folder);
  process.stderr.write(`${name}: ${options.users} users for ${options.seconds} s at ${system.url}\n`);
  const scenario = await runScenario(system, name, options, { folder, config: writeCatalogue(folder) });
  const { title } = system;
  if (options.saturationSeconds === 0) return { title, scenario, verdicts: judge(scenario), saturation: null };
  process.stderr.write(`${name}: saturating\n`);
  const saturation = await saturate(system, options.saturationSeconds);
  return { title, scenario, verdicts: judge(scenario), saturation };
}

/** Over locust/load.toml: the items that both systems hold. */
function writeCatalogue(folder: string): string {
  const file = join(folder, 'load.toml');
  const categories = Array.from({ length: 8 }, (_, n) => `"category-${n}"`).join(', ');
  writeFileSync(file, `[catalogue]\nprefix = "item-"\ncount = ${ITEMS}\ncategories = [${categories}]\n`);
  return file;
}

await main();
