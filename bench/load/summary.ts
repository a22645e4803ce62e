import { claim, compare } from './comparison.ts';
import { cpuTable } from './cpu-table.ts';
import type { LoadOutcome } from './outcome.ts';
import { serverSide } from './server-side.ts';

/** The report in short, as Markdown. */
export function summary(outcome: LoadOutcome): string {
  const { options, systems } = outcome;
  const [ours] = systems;
  if (ours === undefined) return '';
  const titles = systems.map(({ title }) => title);
  const isCompared = systems.length > 1;
  return [
    '# Load report',
    '',
    about(outcome),
    '',
    ...table(
      ['promise', 'bar', ...titles, ''],
      ours.verdicts.map(({ what, bar, isMet }, index) => [
        what,
        bar,
        ...systems.map(({ verdicts }) => verdicts[index]?.value ?? ''),
        isMet ? 'ok' : 'MISSED',
      ]),
    ),
    '',
    ...(isCompared ? [claim(systems), ''] : []),
    ...table(
      ['figure', ...titles, ...(isCompared ? ['ours to theirs'] : [])],
      compare(systems).map(({ what, values, ratio }) => [what, ...values, ...(isCompared ? [ratio] : [])]),
    ),
    '',
    ...table(
      ["Groundswell's own metrics", 'clients', 'servers'],
      serverSide(ours.scenario).map(({ what, client, server }) => [what, client, server]),
    ),
    '',
    ...systems.flatMap((system) => {
      const { header, rows } = cpuTable(system);
      return [...table(header, rows), ''];
    }),
    `Plots over ${options.seconds} seconds: \`report.html\` beside this file. How it is measured: docs/load-testing.md.`,
    '',
  ].join('\n');
}

/** Under which circumstances, also those that make the figures worth less. */
export function about({ options, at, machine, loadBefore, systems }: LoadOutcome): string {
  const short = systems.filter(({ scenario }) => scenario.wasLocustShort).map(({ title }) => title);
  return [
    `${options.users.toLocaleString('en')} simultaneous users for ${options.seconds} s, ${at.toISOString().slice(0, 16).replace('T', ' ')} UTC, on ${machine}.`,
    'Users, proxy, servers and databases share that machine.',
    loadBefore < 1
      ? `It had nothing else to do (load average ${loadBefore.toFixed(1)} before).`
      : `It had other work as well (load average ${loadBefore.toFixed(1)} before): take times by the clock for upper bounds.`,
    ...(short.length === 0
      ? []
      : [`Locust ran short of CPU (${short.join(', ')}), so its times hold its own delays too.`]),
  ].join(' ');
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)];
}
