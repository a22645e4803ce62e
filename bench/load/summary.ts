import { claim, compare } from './comparison.ts';
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
    `Plots over ${options.seconds} seconds: \`report.html\` beside this file. How it is measured: docs/load-testing.md.`,
    '',
  ].join('\n');
}

export function about({ options, at, machine }: LoadOutcome): string {
  return `${options.users.toLocaleString('en')} simultaneous users for ${options.seconds} s, ${at.toISOString().slice(0, 16).replace('T', ' ')} UTC, on ${machine}. Users, proxy, servers and databases share that machine.`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)];
}
