/** One line of the table. */
export interface Figure {
  readonly name: string;
  readonly what: string;
  /** The median, with its unit. */
  readonly value: string;
  readonly range: string;
  /** What it should reach; empty for a figure shown for insight. */
  readonly bar: string;
  /** Null: no bar. */
  readonly reached: boolean | null;
  readonly detail: string;
}

export interface Bar {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Measured {
  readonly name: string;
  readonly what: string;
  /** One per round. */
  readonly values: readonly number[];
  readonly unit?: string;
  readonly digits?: number;
  readonly bar?: Bar;
  readonly detail?: string;
}

/** The median of the rounds against the bar. */
export function figure({ name, what, values, unit = '', digits = 2, bar, detail = '' }: Measured): Figure {
  const show = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) + unit;
  const middle = median(values);
  const { atLeast, atMost } = bar ?? {};
  return {
    name,
    what,
    value: show(middle),
    range: values.length < 2 ? '' : `${show(Math.min(...values))} to ${show(Math.max(...values))}`,
    bar: [
      ...(atLeast === undefined ? [] : [`at least ${atLeast.toLocaleString('en')}${unit}`]),
      ...(atMost === undefined ? [] : [`at most ${atMost.toLocaleString('en')}${unit}`]),
    ].join(', '),
    reached: bar === undefined ? null : middle >= (atLeast ?? -Infinity) && middle <= (atMost ?? Infinity),
    detail,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A Markdown table, aligned for terminals. */
export function table(figures: readonly Figure[]): string {
  const rows = [
    ['figure', 'what', 'median', 'min to max', 'bar', '', 'detail'],
    ...figures.map(({ name, what, value, range, bar, reached, detail }) => [
      name,
      what,
      value,
      range,
      bar,
      reached === null ? '' : reached ? 'ok' : 'LOW',
      detail,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0), 3));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [header = [], ...body] = rows;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
