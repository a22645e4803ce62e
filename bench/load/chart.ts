export interface Line {
  readonly name: string;
  /** Seconds since the start, value; NaN leaves a gap. */
  readonly points: readonly (readonly [number, number])[];
}

export interface ChartOptions {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  /** What should not be exceeded. */
  readonly bar?: number;
  /** Of the whole time axis, so that charts side by side can be compared. */
  readonly seconds: number;
  /** Of the value axis, at least. */
  readonly top?: number;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [460, 190, 52, 22, 8, 8];

/** A line chart as inline SVG, with a legend. */
export function chart({ title, unit, lines, bar, seconds, top = 0 }: ChartOptions): string {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  const highest = niceCeiling(values.reduce((most, value) => Math.max(most, value), Math.max(top, bar ?? 0)) || 1);
  const x = (at: number): number => LEFT + (at / seconds) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => TOP + (1 - value / highest) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(highest * share).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text class="tick" x="${LEFT - 6}" y="${at}" text-anchor="end" dominant-baseline="middle">${show(highest * share)}</text>`;
  });
  const times = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text class="tick" x="${x(seconds * share).toFixed(1)}" y="${HEIGHT - 6}" text-anchor="${share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}">${Math.round(seconds * share)} s</text>`,
  );
  const limit =
    bar === undefined ? '' : `<line class="bar" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(bar)}" y2="${y(bar)}"/>`;
  const paths = lines.map(({ points }, index) => `<path class="line c${index}" d="${path(points, x, y)}"/>`);
  const legend = lines.map(({ name }, index) => `<span><i class="c${index}"></i>${escape(name)}</span>`);
  return `<figure><figcaption>${escape(title)} <small>${escape(unit)}</small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(`${title}, ${unit}`)}">${grid.join('')}${times.join('')}${limit}${paths.join('')}</svg>
<div class="legend">${legend.join('')}${bar === undefined ? '' : `<span><i class="limit"></i>bar, ${show(bar)}</span>`}</div></figure>`;
}

export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function path(
  points: readonly (readonly [number, number])[],
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  let isDown = false;
  return points
    .map(([at, value]) => {
      if (!Number.isFinite(value)) {
        isDown = false;
        return '';
      }
      const step = `${isDown ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      isDown = true;
      return step;
    })
    .join('');
}

/** The next of 1, 2, 2.5, 5 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value * 0.999) ?? 10) * power;
}

function show(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
