import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { escape } from './chart.ts';
import { claim, compare } from './comparison.ts';
import { cpuTable } from './cpu-table.ts';
import type { LoadOutcome, SystemOutcome } from './outcome.ts';
import { scaleOf, scenarioCharts } from './scenario-charts.ts';
import { serverSide } from './server-side.ts';
import { about } from './summary.ts';

/** One HTML file that needs nothing else. */
export function report(outcome: LoadOutcome): string {
  const { systems } = outcome;
  const [ours] = systems;
  if (ours === undefined) return '';
  const titles = systems.map(({ title }) => title);
  const isCompared = systems.length > 1;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Groundswell under load</title>
<style>${readFileSync(join(import.meta.dirname, 'report.css'), 'utf8')}</style>
<h1>Groundswell under load</h1>
<p>${escape(about(outcome))}</p>
<h2>Promises</h2>
${verdictTable(systems, titles)}
${isCompared ? `<p>${escape(claim(systems))}</p>` : ''}
<h2>${isCompared ? 'Side by side' : 'Figures'}</h2>
${table(
  ['', ...titles, ...(isCompared ? ['ours to theirs'] : [])],
  compare(systems).map(({ what, values, ratio }) => [what, ...values, ...(isCompared ? [ratio] : [])].map(escape)),
)}
<h2>Over time</h2>
${plots(systems)}
<h2>By Groundswell's own metrics</h2>
${table(
  ['', 'clients', 'servers'],
  serverSide(ours.scenario).map(({ what, client, server }) => [what, client, server].map(escape)),
)}
<h2>Where the CPU went</h2>
<div class="side">${systems
    .map((system) => {
      const { header, rows } = cpuTable(system);
      return table(
        header,
        rows.map((row) => row.map(escape)),
      );
    })
    .join('')}</div>
${systems.map(details).join('\n')}
</html>
`;
}

function verdictTable(systems: readonly SystemOutcome[], titles: readonly string[]): string {
  const rows = (systems[0]?.verdicts ?? []).map(({ what, bar }, index) => [
    escape(what),
    escape(bar),
    ...systems.map(({ verdicts }) => {
      const verdict = verdicts[index];
      return `<span class="${verdict?.isMet ? 'ok' : 'missed'}">${escape(verdict?.value ?? '')}</span>`;
    }),
  ]);
  return table(['', 'bar', ...titles], rows);
}

/** Chart by chart, the systems side by side. */
function plots(systems: readonly SystemOutcome[]): string {
  const scale = scaleOf(systems.map(({ scenario }) => scenario));
  const columns = systems.map(({ scenario }) => scenarioCharts(scenario, scale));
  const titles = systems.map(({ title }) => `<h3>${escape(title)}</h3>`);
  const rows = (columns[0] ?? []).map((_, index) => columns.map((column) => column[index] ?? ''));
  return [titles, ...rows].map((row) => `<div class="side">${row.join('')}</div>`).join('\n');
}

function details({ title, scenario }: SystemOutcome): string {
  const { faults } = scenario.timeline;
  const lines = [
    ...[...faults].toSorted(([, a], [, b]) => b - a).map(([fault, times]) => `${times} × ${fault}`),
    ...scenario.ledger.examples,
    ...scenario.miscounts,
    ...new Set(scenario.probed.faults.map((fault) => `probe: ${fault}`)),
  ].slice(0, 30);
  if (lines.length === 0) return '';
  return `<h2>What went wrong: ${escape(title)}</h2><ul>${lines.map((line) => `<li>${escape(line)}</li>`).join('')}</ul>`;
}

/** Cells are HTML. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${line(header, 'th')}${rows.map((row) => line(row, 'td')).join('')}</table>`;
}
