import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { commandRoot } from '../../test/commands/command-root.ts';
import { listProcesses, signalAll } from '../../test/servers/processes.ts';
import { query } from '../../test/servers/query.ts';
import { TEST_RUN_VARIABLE } from '../../test/servers/test-run.ts';
import { waitFor } from '../../test/servers/wait-for.ts';
import { createClients } from '../testing/clients.ts';
import { panelQueries } from '../testing/panel-queries.ts';
import { prometheusApi } from '../testing/prometheus-api.ts';
import { startStack } from './start-stack.ts';
import type { Stack } from './stack.ts';

const RECORD = `mutation ($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id } userErrors { code } } }`;
const POPULAR = '{ popularItems(first: 100, window: DAY) { nodes { people item { id } } } }';

let stack: Stack;
let pids: number[] = [];
let user: string;
let admin: string;

beforeAll(async () => {
  stack = await startStack({ release: commandRoot() });
  pids = stack.members.flatMap((member) => member.pids());
  [user, admin] = [await stack.token('ann'), await stack.token('root', 'admin')];
  const items = Array.from({ length: 20 }, (_, n) => ({ id: `item-${n}`, title: `Item ${n}` }));
  const mutation = 'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }';
  expect(await ask(stack.url, mutation, { items }, admin)).toEqual({ data: { upsertItems: { userErrors: [] } } });
}, 300_000);
afterAll(() => stack?.stop(), 120_000);

async function ask(url: string, text: string, variables: Record<string, unknown> = {}, token = user): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: text, variables }),
  });
  return response.json();
}

const like = (itemId: string, token = user) =>
  ask(stack.url, RECORD, { input: { itemId, type: 'LIKE', id: newInteractionId() } }, token);

const isPopular = async (itemId: string): Promise<boolean> =>
  JSON.stringify(await ask(stack.url, POPULAR)).includes(`"item":{"id":"${itemId}"}`);

it('a like through nginx shows in popularItems', async () => {
  expect(await like('item-1')).toMatchObject({ data: { recordInteraction: { userErrors: [] } } });
  await waitFor('the like to count', () => isPopular('item-1'), { deadlineMs: 6_000, everyMs: 20 });
});

it('nobody without a token may write', async () => {
  const response = await fetch(`${stack.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user-id': 'root', 'x-user-role': 'admin' },
    body: JSON.stringify({ query: RECORD, variables: { input: { itemId: 'item-1', type: 'LIKE' } } }),
  });
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
});

it('the doctor finds every part well', async () => {
  const { exitCode, stdout } = await stack.run('doctor');
  const others = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('ok '));
  // The shipped RabbitMQ has no management plugin.
  expect(others).toEqual([expect.stringMatching(/^note +RabbitMQ cluster .* not looked at$/)]);
  expect(stdout).toMatch(/^ok +Postgres \(DATABASE_URL\): .*; behind PgBouncer \d+\.\d+\.\d+;/m);
  expect(stdout.match(/^ok +Replica \d/gm)).toHaveLength(2);
  expect(exitCode).toBe(0);
});

it('both replicas stream through a slot of their own, and both answer reads', async () => {
  const slots = await query(stack.databaseUrl, 'select slot_name, active from pg_replication_slots order by slot_name');
  expect(slots).toEqual([
    { slot_name: 'replica_1', active: true },
    { slot_name: 'replica_2', active: true },
  ]);
  const reads = async (url: string): Promise<number> => {
    const statement =
      'select tup_returned + tup_fetched as rows from pg_stat_database where datname = current_database()';
    return Number((await query(url, statement))[0]?.['rows']);
  };
  const before = await Promise.all(stack.replicaUrls.map(reads));
  for (let n = 0; n < 10; n += 1) {
    // Another first each time: another question, past every cache.
    await Promise.all(
      stack.apis.map(({ url }, api) =>
        ask(
          url,
          `{ popularItems(first: ${2 * n + api + 1}, ranking: "most-liked") { asOf nodes { item { title } } } }`,
        ),
      ),
    );
  }
  await waitFor('both replicas to have read', async () => {
    const after = await Promise.all(stack.replicaUrls.map(reads));
    return after.every((count, index) => count > (before[index] ?? Number.NaN));
  });
  expect(await query(stack.databaseUrl, 'select pg_is_in_recovery() as replica')).toEqual([{ replica: false }]);
});

it('PgBouncer pools by the transaction: sixty clients stay connected, and share 25 connections', async () => {
  const pools = (await query(stack.pgbouncerConsoleUrl, 'show pools')).filter(
    ({ database }) => database === 'groundswell',
  );
  expect(new Set(pools.map(({ user }) => user))).toEqual(new Set(['api', 'groundswell', 'worker']));
  for (const pool of pools) expect(pool).toMatchObject({ pool_mode: 'transaction' });
  const clients = Array.from({ length: 60 }, () => new pg.Client({ connectionString: stack.pgbouncerUrl }));
  try {
    await Promise.all(clients.map((client) => client.connect()));
    // By the session, those after the first 25 would wait for somebody to leave, and nobody does.
    const asked = clients.map((client) =>
      client.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.05)'),
    );
    const backends = new Set((await Promise.all(asked)).map(({ rows }) => rows[0]?.pid));
    // default_pool_size and reserve_pool_size.
    expect(backends.size).toBeLessThanOrEqual(25);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
});

it('nobody may do more than they have to', async () => {
  const users = await query(
    stack.databaseUrl,
    `SELECT DISTINCT usename::text AS name FROM pg_stat_activity WHERE application_name = 'groundswell' ORDER BY 1`,
  );
  expect(users).toEqual([{ name: 'api' }, { name: 'worker' }]);
  const doctorsConsole = new URL(stack.pgbouncerUrl);
  doctorsConsole.pathname = '/pgbouncer';
  for (const url of [stack.pgbouncerConsoleUrl, doctorsConsole.href]) {
    await expect(query(url, 'shutdown')).rejects.toThrow(/admin access needed|not allowed/);
  }
  const anonymous = new URL(stack.databaseUrl);
  anonymous.password = '';
  await expect(query(anonymous.href, 'select 1')).rejects.toThrow();
  const superuser = new URL(stack.databaseUrl);
  superuser.username = 'postgres';
  await expect(query(superuser.href, 'select 1')).rejects.toThrow(/no pg_hba.conf entry/);
  await expect(query(stack.databaseUrl, "copy items to program 'cat'")).rejects.toThrow(
    /permission denied|must be superuser/,
  );
});

it('Prometheus reaches everything it is to watch', async () => {
  interface Target {
    readonly labels: { readonly job: string };
    readonly health: string;
    readonly lastError: string;
  }
  const targets = async (): Promise<Target[]> => {
    const response = await fetch(`${stack.prometheusUrl}/api/v1/targets`);
    const body: { data: { activeTargets: Target[] } } = JSON.parse(await response.text());
    return body.data.activeTargets;
  };
  await waitFor('every target to be up', async () => {
    const all = await targets();
    const failing = all.filter(({ lastError }) => lastError !== '');
    if (failing.length > 0) throw new Error(failing.map(({ lastError }) => lastError).join('\n'));
    return all.length > 0 && all.every(({ health }) => health === 'up');
  });
  const jobs = new Map<string, number>();
  for (const { labels } of await targets()) jobs.set(labels.job, (jobs.get(labels.job) ?? 0) + 1);
  expect(Object.fromEntries(jobs)).toEqual({
    'groundswell-api': 2,
    'groundswell-worker': 2,
    nginx: 1,
    pgbouncer: 1,
    // Three servers, and the disk they are on.
    postgres: 4,
    prometheus: 1,
    rabbitmq: 1,
    redis: 1,
  });
});

it('exporters tell of what they look at', async () => {
  const value = async (expression: string): Promise<number[]> => {
    const response = await fetch(`${stack.prometheusUrl}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const body: { data: { result: { value: [number, string] }[] } } = JSON.parse(await response.text());
    return body.data.result.map((sample) => Number(sample.value[1]));
  };
  for (const [expression, expected] of [
    ['pg_up', [1, 1, 1]],
    ['redis_up', [1]],
    ['nginx_up', [1]],
    ['pgbouncer_up', [1]],
    ['pg_replication_slots_active', [1, 1]],
    ['rabbitmq_queue_consumers{queue="groundswell.interactions"}', [2]],
    ['redis_memory_max_bytes', [268_435_456]],
  ] as const) {
    await waitFor(`${expression} to be ${expected.join(', ')}`, async () => {
      const values = await value(expression);
      if (JSON.stringify(values) === JSON.stringify(expected)) return true;
      throw new Error(`it is ${values.join(', ')}`);
    });
  }
});

it('every query of every panel has a value while clients are at work', async () => {
  const prometheus = prometheusApi(stack.prometheusUrl ?? '');
  await using _load = (await createClients(stack)).steadily();
  // Rates need two scrapes of the load, and recorded ones an evaluation after that.
  const deadlineMs = 90_000;
  await waitFor(
    'a value of each query',
    async () => {
      const without: string[] = [];
      for (const { title, panel, expression } of panelQueries()) {
        const values = await prometheus.query(expression);
        // 0 / 0 is NaN: an answer, and an empty panel.
        if (!values.some(Number.isFinite)) without.push(`${title}, ${panel}: ${expression}`);
      }
      if (without.length > 0) throw new Error(without.join('\n'));
      return true;
    },
    { deadlineMs, everyMs: 1_000 },
  );
});

describe('faults', () => {
  it('an API that is killed is not missed, and comes back', async () => {
    const [api] = stack.apis;
    await api?.kill();
    expect(api?.pids()).toEqual([]);
    for (let n = 0; n < 10; n += 1) expect(await ask(stack.url, POPULAR)).toHaveProperty('data');
    await api?.restart();
    expect(await ask(api?.url ?? '', POPULAR)).toHaveProperty('data');
  });

  it('while RabbitMQ is away a like is accepted and counts all the same', async () => {
    await stack.rabbitmq.kill();
    expect(await like('item-3')).toMatchObject({ data: { recordInteraction: { userErrors: [] } } });
    await waitFor('the like to count', () => isPopular('item-3'), { deadlineMs: 10_000 });
    await stack.rabbitmq.restart();
  });
});

it('npm run stack starts another beside it, prints commands that work, and ends it all on Ctrl-C', async () => {
  const command = spawn('npm', ['run', '--silent', 'stack'], {
    cwd: packageRoot(),
    // A run of its own, as at a terminal: its processes end with it, not with this one.
    env: { ...process.env, [TEST_RUN_VARIABLE]: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [command.stdout, command.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()));
  const ended = once(command, 'close').then(([code]: (number | null)[]) => code);
  onTestFinished(() => signalAll([-(command.pid ?? Number.NaN)], 'SIGKILL'));
  await waitFor(
    'the stack to be up',
    () => {
      if (command.exitCode !== null) throw new Error(output);
      return output.includes('Ctrl-C ends everything');
    },
    { deadlineMs: 240_000 },
  );
  const curls = output.match(/^curl [^]*?'\n/gm) ?? [];
  const answers: unknown[] = curls.map((line) => JSON.parse(execFileSync('sh', ['-c', line], { encoding: 'utf8' })));
  expect(answers).toEqual([
    { data: { recordInteraction: { interaction: { id: expect.any(String), status: 'ACCEPTED' }, userErrors: [] } } },
    { data: { popularItems: { asOf: expect.any(String), nodes: expect.any(Array) } } },
  ]);
  const { pid = Number.NaN } = command;
  const tree = listProcesses().filter(({ command: line }) => line.includes(networkOf(output)));
  expect(tree.length).toBeGreaterThan(5);
  expect(networkOf(output)).not.toBe(networkOf(stack.url));

  signalAll([-pid], 'SIGINT');
  expect(await ended).toBe(0);
  const left = listProcesses().filter(({ command: line }) => line.includes(networkOf(output)));
  expect(left).toEqual([]);
}, 300_000);

const networkOf = (text: string): string => /127\.\d+\.\d+\./.exec(text)?.[0] ?? '';

it('stopped, it leaves no process', async () => {
  const again = stack.members.flatMap((member) => member.pids());
  expect(pids.length).toBeGreaterThan(stack.members.length);
  await stack.stop();
  const left = listProcesses().filter(({ pid }) => pids.includes(pid) || again.includes(pid));
  expect(left.map(({ command }) => command)).toEqual([]);
}, 120_000);
