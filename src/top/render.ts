import { withoutPasswords } from '../runtime/redact.ts';
import { MAX_COUNT, type Looked } from './part-gauges.ts';
import type { Snapshot } from './snapshot.ts';

export interface RenderOptions {
  /** Escape sequences for bold and red. */
  readonly colour: boolean;
  /** Longer lines are cut; 0 cuts none. */
  readonly columns: number;
}

type Mark = 'plain' | 'bad';
interface Cell {
  readonly text: string;
  readonly mark: Mark;
}

const LABEL_WIDTH = 12;
const BOLD = '\u001B[1m';
const RED = '\u001B[31m';
const RESET = '\u001B[0m';

/** A snapshot as lines. What wants attention is red, and without colours marked with `!`. */
export function renderSnapshot(snapshot: Snapshot, options: RenderOptions): string[] {
  const { requests, cache, accepted, recorded, freshness, standings, reads } = snapshot;
  const lines: Cell[][] = [
    [cell(`groundswell top  ${snapshot.at}  rates over ${snapshot.overSeconds.toFixed(1)} s`)],
    [],
    heading('PROCESSES'),
    ...snapshot.processes.map(({ origin, up, ready, problems }) => [
      label(up ? (ready ? 'ready' : 'not ready') : 'away', up && ready ? 'plain' : 'bad'),
      cell(origin),
      ...problems.map((problem) => cell(withoutPasswords(problem), ready ? 'plain' : 'bad')),
    ]),
    heading('READ AND ACCEPT'),
    [
      label('requests'),
      cell(perSecond(requests.perSecond)),
      cell(`median ${seconds(requests.p50Seconds)}, 99 % within ${seconds(requests.p99Seconds)}`),
      badIf(requests.failedPerSecond > 0, `5xx ${perSecond(requests.failedPerSecond)}`),
      badIf(requests.limitedPerSecond > 0, `over a limit ${perSecond(requests.limitedPerSecond)}`),
    ],
    [
      label('cache'),
      cell(`hits ${percent(cache.hitShare)}`),
      badIf(cache.errorsPerSecond > 0, `errors ${perSecond(cache.errorsPerSecond)}`),
      cell(
        `reads of replicas ${perSecond(reads.replicaPerSecond)}, of the primary ${perSecond(reads.primaryPerSecond)}`,
      ),
    ],
    [
      label('accepted'),
      cell(`RabbitMQ ${perSecond(accepted.rabbitmqPerSecond)}`),
      // The outbox is the queue where RabbitMQ is not configured.
      badIf(accepted.outboxPerSecond > 0 && snapshot.queue !== null, `outbox ${perSecond(accepted.outboxPerSecond)}`),
      cell(`99 % within ${seconds(accepted.p99Seconds)}`),
      badIf(accepted.failuresPerSecond > 0, `failures ${perSecond(accepted.failuresPerSecond)}`),
    ],
    heading('RECORD'),
    [
      label('recorded'),
      cell(perSecond(recorded.perSecond)),
      cell(`duplicates ${perSecond(recorded.duplicatesPerSecond)}`),
      cell(`discarded ${perSecond(recorded.discardedPerSecond)}`),
      badIf(recorded.rejectedPerSecond > 0, `rejected ${perSecond(recorded.rejectedPerSecond)}`),
    ],
    [
      label('batches'),
      cell(`mean ${recorded.batchMeanItems === null ? '-' : count(recorded.batchMeanItems)}`),
      cell(`99 % within ${seconds(recorded.batchP99Seconds)}`),
      badIf(recorded.failedBatchesPerSecond > 0, `failed ${perSecond(recorded.failedBatchesPerSecond)}`),
    ],
    [
      label('freshness'),
      badIf(
        (freshness.p99Seconds ?? 0) > 2,
        `accepted to recorded: median ${seconds(freshness.p50Seconds)}, 99 % within ${seconds(freshness.p99Seconds)}`,
      ),
    ],
    [
      label('standings'),
      badIf((standings.ageMs ?? 0) > 5_000, `${seconds(inSeconds(standings.ageMs))} old`),
      cell(`a pass within ${seconds(standings.passP99Seconds)}`),
    ],
    heading('PARTS'),
    ...partLines(snapshot),
  ];
  return lines.map((line) => draw(line, options));
}

function partLines({ primary, replicas, queue, store }: Snapshot): Cell[][] {
  const queueCells = (): Cell[] => {
    if (queue === null) return [cell('none: the outbox is the queue')];
    if (!queue.up) return [away(queue)];
    const { ready, consumers } = queue.value;
    return [cell(`${count(ready)} waiting`), badIf(consumers === 0, `${consumers} consumers`)];
  };
  const primaryCells = (): Cell[] => {
    if (!primary.up) return [away(primary)];
    const { answersInMs, connections, maxConnections, commitsPerSecond } = primary.value;
    return [
      cell(`answers in ${Math.ceil(answersInMs)} ms`),
      badIf(connections > 0.9 * maxConnections, `${connections} of ${maxConnections} connections`),
      cell(`commits ${commitsPerSecond === null ? '-' : perSecond(commitsPerSecond)}`),
    ];
  };
  return [
    [label('queue'), ...queueCells()],
    [label('outbox'), cell(primary.up ? `${bounded(primary.value.outbox)} waiting` : '-')],
    [
      label('rejected'),
      primary.up ? badIf(primary.value.rejected > 0, `${bounded(primary.value.rejected)} kept`) : cell('-'),
    ],
    [label('primary'), ...primaryCells()],
    ...replicas.map(({ name, lag }) => [
      label(name),
      lag.up ? cell(`${Math.round(lag.value.lagMs)} ms behind`) : away(lag),
    ]),
    [
      label('cache'),
      store === null
        ? cell('in memory, per process')
        : store.up
          ? cell(`Redis answers in ${Math.ceil(store.value.answersInMs)} ms`)
          : away(store),
    ],
  ];
}

function heading(text: string): Cell[] {
  return [cell(text)];
}

function label(text: string, mark: Mark = 'plain'): Cell {
  return cell(text.padEnd(LABEL_WIDTH), mark);
}

function cell(text: string, mark: Mark = 'plain'): Cell {
  return { text, mark };
}

function badIf(bad: boolean, text: string): Cell {
  return cell(text, bad ? 'bad' : 'plain');
}

function away(look: Extract<Looked<unknown>, { up: false }>): Cell {
  return cell(`away: ${withoutPasswords(look.fault)}`, 'bad');
}

function draw(cells: readonly Cell[], { colour, columns }: RenderOptions): string {
  const isHeading = cells.length === 1 && /^[A-Z ]+$/.test(cells[0]?.text ?? '');
  let left = columns === 0 ? Infinity : columns;
  const shown = cells.map(({ text, mark }, index) => {
    const plain = `${index === 0 ? (isHeading || cells.length === 1 ? '' : '  ') : '  '}${mark === 'bad' && !colour ? '! ' : ''}${text}`;
    const cut = plain.slice(0, Math.max(0, left));
    left -= cut.length;
    if (!colour || cut === '') return cut;
    if (mark === 'bad') return `${RED}${cut}${RESET}`;
    return isHeading ? `${BOLD}${cut}${RESET}` : cut;
  });
  return shown.join('').trimEnd();
}

function perSecond(value: number): string {
  return `${count(value)}/s`;
}

function count(value: number): string {
  const digits = value !== 0 && value < 10 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

function bounded(value: number): string {
  return value >= MAX_COUNT ? `${count(MAX_COUNT)} or more` : count(value);
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(share * 100).toFixed(0)} %`;
}

function inSeconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1_000;
}

function seconds(value: number | null): string {
  if (value === null) return '-';
  return value < 1 ? `${(value * 1_000).toFixed(value < 0.01 ? 1 : 0)} ms` : `${value.toFixed(1)} s`;
}
