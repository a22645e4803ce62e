import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MAX_QUEUE_PARTITIONS } from '../src/config.ts';
import { ASSUMPTIONS, PRICES, TRAFFIC } from './capacity-inputs.ts';
import { partitionPoints, planCapacity, SIZED_TABLES, type Plan, type UnitCosts } from './capacity-model.ts';
import { OBJECTIVES_MS, simulate, type SimulatedPart, type Simulation } from './capacity-simulation.ts';

const COSTS_FILE = join(import.meta.dirname, 'capacity-costs.json');
/** So that the page is the same each time. */
export const SEED = 1;
const PAGE_FILE = join(import.meta.dirname, '../docs/capacity.md');

const SECONDS = z.number().nonnegative();
const PARTS = z.object({ api: SECONDS, worker: SECONDS, postgres: SECONDS, rabbitmq: SECONDS, redis: SECONDS });
const BYTES = z.object({ heap: z.number().positive(), indexes: z.number().positive() });
const COSTS = z.object({
  measuredOn: z.string(),
  machine: z.string(),
  loadBefore: z.number().nonnegative(),
  cpuSeconds: z.object({ cachedRead: PARTS, uncachedRead: PARTS, accept: PARTS, acceptPacked: PARTS, record: PARTS }),
  interactionsPerMessage: z.number().min(1),
  bytesPerRow: z.object({
    interactions: BYTES,
    people: BYTES,
    reactions: BYTES,
    minutes: BYTES,
    hours: BYTES,
    days: BYTES,
    totals: BYTES,
  }),
  rowsPerInteraction: z.object({ people: z.number(), reactions: z.number() }),
  walBytesPerInteraction: z.number().positive(),
  standingsSecondsPerItem: z.number().positive(),
});

/** Of the last recorded run. */
export function readCosts(): UnitCosts {
  return COSTS.parse(JSON.parse(readFileSync(COSTS_FILE, 'utf8')));
}

/** Keeps a run's costs, and writes the tables of docs/capacity.md anew. */
export function recordCosts(costs: UnitCosts): void {
  writeFileSync(COSTS_FILE, `${JSON.stringify(COSTS.parse(costs), undefined, 2)}\n`);
  writePage();
}

/** The tables of docs/capacity.md, anew from the last recorded run and what is assumed now. */
export function writePage(): void {
  writeFileSync(PAGE_FILE, withTables(readPage(), readCosts()));
}

export function readPage(): string {
  return readFileSync(PAGE_FILE, 'utf8');
}

/** The page with what stands between its markers made from these costs. Throws when a marker is missing. */
export function withTables(page: string, costs: UnitCosts): string {
  const plans = TRAFFIC.map((traffic) => planCapacity(costs, traffic));
  const tables = {
    costs: costTable(costs),
    bytes: byteTable(costs),
    plans: planTable(plans),
    points: pointTable(costs),
    simulation: simulationTable(plans.map((plan) => simulate(costs, plan, { seed: SEED }))),
  };
  let text = page;
  for (const [name, table] of Object.entries({ ...tables, assumptions: assumptionTable() })) {
    const [start, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/capacity.md has no ${start} … ${end}`);
    text = `${text.slice(0, from)}${start}\n\n${table}\n\n${text.slice(to)}`;
  }
  return text;
}

function costTable({ cpuSeconds, interactionsPerMessage, measuredOn, machine, loadBefore }: UnitCosts): string {
  const names = {
    cachedRead: 'cached read',
    uncachedRead: 'uncached read',
    accept: 'accept',
    acceptPacked: 'accept, at full load',
    record: 'record',
  };
  const micro = (seconds: number): string => (seconds === 0 ? '' : (seconds * 1e6).toFixed(seconds < 1e-5 ? 1 : 0));
  const rows = (['cachedRead', 'uncachedRead', 'accept', 'acceptPacked', 'record'] as const).map((key) => {
    const { api, worker, postgres, rabbitmq, redis } = cpuSeconds[key];
    return [names[key], ...[api, worker, postgres, rabbitmq, redis].map(micro)];
  });
  const header = ['µs of CPU for one', 'API', 'worker', 'Postgres', 'RabbitMQ', 'Redis'];
  return `${markdown(header, rows)}

At full load a message carried ${interactionsPerMessage.toFixed(1)} interactions. Measured on ${measuredOn}, ${machine}; load average of the machine before it began: ${loadBefore.toFixed(1)}.`;
}

function byteTable({
  bytesPerRow,
  rowsPerInteraction,
  walBytesPerInteraction,
  standingsSecondsPerItem,
}: UnitCosts): string {
  const rows = SIZED_TABLES.map((table) => {
    const { heap, indexes } = bytesPerRow[table];
    return [`\`${table}\``, heap.toFixed(0), indexes.toFixed(0), (heap + indexes).toFixed(0)];
  });
  const { people, reactions } = rowsPerInteraction;
  return `${markdown(['bytes of a row of', 'heap', 'indexes', 'together'], rows)}\n\nAn interaction makes ${people.toFixed(2)} rows in \`people\` and ${reactions.toFixed(2)} in \`reactions\`, and ${whole(walBytesPerInteraction)} bytes of WAL. Scoring one touched item in all rankings and windows takes Postgres ${(standingsSecondsPerItem * 1e6).toFixed(0)} µs.`;
}

function planTable(plans: readonly Plan[]): string {
  const row = (name: string, cell: (plan: Plan) => string): string[] => [name, ...plans.map(cell)];
  const machines = (part: keyof Plan['parts']) => (plan: Plan) => {
    const { machines: count, vcpusEach, partitions } = plan.parts[part];
    return `${whole(count)} of ${vcpusEach} vCPUs${partitions === 1 ? '' : `, in ${whole(partitions)} partitions`}`;
  };
  return markdown(
    ['simultaneous users', ...plans.map(({ traffic }) => whole(traffic.users))],
    [
      row("deployable with today's code", deployable),
      row('items active on a day', ({ traffic }) => whole(traffic.activeItems)),
      row('public answers in use', ({ traffic }) => whole(traffic.pages)),
      row('writes/s', (plan) => whole(plan.writesPerSecond)),
      row('reads/s, cached', (plan) => whole(plan.cachedReadsPerSecond)),
      row('reads/s, uncached', (plan) => whole(plan.uncachedReadsPerSecond)),
      row('items scored anew/s', (plan) => whole(plan.touchedPerSecond)),
      row('passes of the standings side by side', (plan) => whole(plan.passes)),
      row('age of the standings with one pass, s', (plan) => plan.onePassSeconds.toFixed(1)),
      row('API', machines('api')),
      row('workers', machines('worker')),
      row('Postgres, replicas with it', machines('postgres')),
      row('RabbitMQ', machines('rabbitmq')),
      row('Redis, replicas with it', machines('redis')),
      row('vCPUs in all', (plan) => whole(plan.vcpus)),
      row('raw rows, one copy', ({ gigabytes }) => storage(gigabytes.interactions + gigabytes.people)),
      row('reactions and rollups, one copy', ({ gigabytes: { interactions: _, people: __, ...kept } }) =>
        storage(Object.values(kept).reduce((sum, one) => sum + one, 0)),
      ),
      row('stored, every copy', (plan) => storage(plan.gigabytesStored)),
      row(`${PRICES.currency} a month`, (plan) => whole(Number(plan.moneyPerMonth.toPrecision(3)))),
    ],
  );
}

/** The code knows several queues, and one Postgres, one Redis and one pass of the standings at a time. */
function deployable({ parts, passes }: Plan): string {
  const needs = [
    parts.postgres.partitions > 1 ? 'a partitioned Postgres' : '',
    parts.redis.partitions > 1 ? 'a partitioned Redis' : '',
    parts.rabbitmq.partitions > MAX_QUEUE_PARTITIONS ? `over ${MAX_QUEUE_PARTITIONS} queues` : '',
    passes > 1 ? 'more than one pass of the standings' : '',
  ].filter((need) => need !== '');
  return needs.length === 0 ? 'yes' : `no: needs ${needs.join(' and ')}`;
}

function pointTable(costs: UnitCosts): string {
  return markdown(
    ['part', 'enough up to', 'simultaneous users'],
    partitionPoints(costs).map(({ part, what, users }) => [part, what, whole(Number(users.toPrecision(2)))]),
  );
}

function simulationTable(simulations: readonly Simulation[]): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const pair = (parts: readonly SimulatedPart[], name: string): string => {
    const part = parts.find((one) => one.name === name);
    return part === undefined ? '' : `${percent(part.planned)} / ${percent(part.simulated)}`;
  };
  const names = (pick: (simulation: Simulation) => readonly SimulatedPart[]): string[] =>
    simulations.slice(0, 1).flatMap((simulation) => pick(simulation).map(({ name }) => name));
  const latency = (name: string, key: keyof Simulation['p99Ms']): string[] => [
    `${name}, 99th percentile (objective ${whole(OBJECTIVES_MS[key])} ms)`,
    ...simulations.map(({ p99Ms }) => `${p99Ms[key].toFixed(p99Ms[key] < 10 ? 1 : 0)} ms`),
  ];
  return markdown(
    ['planned / simulated', ...TRAFFIC.map(({ users }) => whole(users))],
    [
      ...names(({ utilizations }) => utilizations).map((name) => [
        `busy: ${name}`,
        ...simulations.map(({ utilizations }) => pair(utilizations, name)),
      ]),
      ...names(({ hottest }) => hottest).map((name) => [
        `writes of the most loaded partition: ${name}`,
        ...simulations.map(({ hottest }) => pair(hottest, name)),
      ]),
      latency('cached read', 'cachedRead'),
      latency('accept', 'accept'),
      latency('accepted to recorded', 'recorded'),
    ],
  );
}

function assumptionTable(): string {
  const { setOn, currency, vcpuHour, gigabyteMonth } = PRICES;
  const rows = Object.entries(ASSUMPTIONS).map(([name, value]) => [`\`${name}\``, Number(value).toLocaleString('en')]);
  return `${markdown(['assumed', 'value'], rows)}

${markdown(
  [`price, as set on ${setOn}`, currency],
  [
    ['a vCPU for an hour, its memory included', String(vcpuHour)],
    ['a gigabyte of SSD for a month', String(gigabyteMonth)],
  ],
)}`;
}

function storage(gigabytes: number): string {
  return gigabytes >= 10_000 ? `${whole(gigabytes / 1_000)} TB` : `${whole(gigabytes)} GB`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
