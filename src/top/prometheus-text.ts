/** One line of a metrics page: `name{label="value"} 12`. */
export interface MetricSample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of Prometheus's text format, of Groundswell's own metrics alone. Lines that are none are left out. */
export function parseMetrics(text: string): MetricSample[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('groundswell_')) return [];
    const [, name, labels = '', number] = LINE.exec(line) ?? [];
    const value = number === '+Inf' ? Infinity : Number(number);
    if (name === undefined || Number.isNaN(value)) return [];
    const pairs = [...labels.matchAll(LABEL)].map(
      ([, label = '', quoted = '']) => [label, quoted.replaceAll(/\\(.)/g, unescaped)] as const,
    );
    return [{ name, labels: new Map(pairs), value }];
  });
}

function unescaped(_: string, character: string): string {
  return character === 'n' ? '\n' : character;
}
