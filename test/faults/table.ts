import type { RowResult } from './row.ts';

const HEAD = [
  'fault',
  'sent',
  'accepted',
  'refused',
  'lost',
  'duplicated',
  'drift',
  'worst latency',
  'recovered in',
  'besides',
];

/** In Markdown. */
export function table(results: readonly RowResult[]): string {
  const lines = [HEAD, HEAD.map(() => '---'), ...results.map(cells)];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function cells(result: RowResult): string[] {
  const besides = result.conditions.map(({ what, isMet, value }) => `${isMet ? '' : '**missed:** '}${what} (${value})`);
  return [
    result.fault,
    String(result.sent),
    String(result.accepted),
    String(result.refused),
    String(result.lost),
    String(result.duplicated),
    String(result.drift),
    `${Math.round(result.worstMs)} ms`,
    `${result.recoverySeconds.toFixed(1)} s`,
    besides.join('; '),
  ];
}
