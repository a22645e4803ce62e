import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { createMigratedDatabase } from '../migrated-database.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { createTestRedis } from '../servers/create-test-redis.ts';
import { freePort } from '../servers/free-port.ts';
import { requireProgram } from '../servers/programs.ts';
import { query } from '../servers/query.ts';
import { testQueue } from '../servers/test-queue.ts';
import { waitFor } from '../servers/wait-for.ts';
import { commandRoot } from './command-root.ts';
import { commandEnvironment, runCommand } from './run-command.ts';
import { graphql, startCommand } from './start-command.ts';

const ADMIN = { 'x-user-id': 'ann', 'x-user-role': 'admin' };
const MAKE = 'mutation { upsertItems(items: [{ id: "mine", title: "Mine" }]) { userErrors { code } } }';
const VIEW = 'mutation { recordInteraction(input: { itemId: "mine", type: VIEW }) { userErrors { code } } }';

it('top sees API, worker and every part of a running system, and what went through meanwhile', async () => {
  await using database = await createTestDatabase();
  const { url: amqpUrl, queue } = testQueue();
  const env = {
    DATABASE_URL: database.url,
    DATABASE_REPLICA_URLS: database.replicaUrls.join(','),
    AMQP_URL: amqpUrl,
    QUEUE_NAME: queue,
    REDIS_URL: (await createTestRedis()).url,
  };
  expect((await runCommand('migrate', env)).exitCode).toBe(0);
  await using api = await startCommand('api', env);
  await using worker = await startCommand('worker', env);
  await graphql(api.url, MAKE, ADMIN);
  await waitFor('the standings to be made', async () => {
    return (await query(database.url, 'SELECT FROM standings_state')).length === 1;
  });

  let views = 0;
  const ended = new AbortController();
  const viewing = (async () => {
    while (!ended.signal.aborted) {
      await graphql(api.url, VIEW, ADMIN);
      views += 1;
    }
  })();
  await waitFor('the worker to record', async () => {
    return (await query(database.url, 'SELECT FROM interactions LIMIT 1')).length === 1;
  });
  const metrics = ['--metrics', api.metricsUrl, '--metrics', worker.metricsUrl];
  let seen: Record<string, Record<string, unknown>> = {};
  // A machine that is busy with other tests may not answer the first look in time, and then there are no rates.
  await waitFor(
    'top to see what goes through',
    async () => {
      const outcome = await runCommand('top', env, [...metrics, '--once', '--json', '--interval', '3']);
      expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
      seen = JSON.parse(outcome.stdout);
      return Number(seen['requests']?.['perSecond']) > 0 && Number(seen['recorded']?.['perSecond']) > 0;
    },
    { deadlineMs: 90_000 },
  );
  ended.abort();
  await viewing;

  expect(seen['processes']).toMatchObject([
    { origin: api.metricsUrl, up: true, ready: true },
    { origin: worker.metricsUrl, up: true, ready: true },
  ]);
  expect(seen['accepted']?.['rabbitmqPerSecond']).toBeGreaterThan(0);
  expect(seen['accepted']?.['rabbitmqPerSecond']).toBeLessThan(views + 1);
  expect(seen['freshness']?.['p99Seconds']).toBeGreaterThan(0);
  expect(seen['primary']).toMatchObject({ up: true, value: { outbox: 0, rejected: 0 } });
  expect(seen['replicas']).toMatchObject([{ name: 'replica 1', lag: { up: true } }]);
  expect(seen['queue']).toMatchObject({ up: true, value: { consumers: 1 } });
  expect(seen['store']).toMatchObject({ up: true });

  const shown = await runCommand('top', env, [...metrics, '--once']);
  expect(shown.stdout).toMatch(/queue +\d+ waiting {2}1 consumers/);
  // oxlint-disable-next-line no-control-regex -- a pipe gets no escape sequences
  expect(shown.stdout).not.toMatch(/\u001B/);
});

it('top says which parts are away, and counts what waits in the outbox', async () => {
  await using migrated = await createMigratedDatabase();
  await query(migrated.server.url, "INSERT INTO outbox (body) SELECT 'x' FROM generate_series(1, 7)");
  const away = `http://127.0.0.1:${await freePort()}`;
  const env = { DATABASE_URL: migrated.server.url, AMQP_URL: 'amqp://app:hunter2@127.0.0.1:1' };
  const outcome = await runCommand('top', env, ['--once', '--metrics', away]);
  expect(outcome.exitCode).toBe(0);
  expect(outcome.stdout).toMatch(/! away +http:.*ECONNREFUSED/);
  expect(outcome.stdout).toMatch(/queue +! away: .*ECONNREFUSED/);
  expect(outcome.stdout).toMatch(/outbox +7 waiting/);
  expect(outcome.stdout).not.toContain('hunter2');
});

it('top exits 1 when nothing at all answers, and 64 on a wrong option', async () => {
  const args = ['--once', '--interval', '0.2', '--metrics', 'http://127.0.0.1:1'];
  const nothing = await runCommand('top', { DATABASE_URL: 'postgres://app:hunter2@127.0.0.1:1/x' }, args);
  expect(nothing.exitCode).toBe(1);
  expect(nothing.stdout + nothing.stderr).not.toContain('hunter2');
  expect(await runCommand('top', {}, ['--sometimes'])).toMatchObject({ exitCode: 64 });
});

it('top prints look after look into a pipe until Ctrl-C, and then exits 0', async () => {
  await using migrated = await createMigratedDatabase();
  const child = spawn(process.execPath, ['scripts/launch.mjs', 'top', '--json', '--interval', '0.2'], {
    cwd: commandRoot(),
    env: commandEnvironment({ DATABASE_URL: migrated.server.url }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise((resolve) => child.once('close', (code) => resolve(code)));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    await waitFor('three looks', () => output.split('\n').length > 3);
  } finally {
    child.kill('SIGINT');
  }
  expect(await closed).toBe(0);
  for (const line of output.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ primary: { up: true } });
});

const [CTRL_C, ALTERNATE_SCREEN, FORMER_SCREEN] = ['\u0003', '\u001B[?1049h\u001B[?25l', '\u001B[?25h\u001B[?1049l'];

it.each([
  ['q', 'q'],
  ['Ctrl-C', CTRL_C],
])('top on a terminal redraws it until %s, and leaves it as it was', async (_, key) => {
  await using migrated = await createMigratedDatabase();
  // Raw mode, which top sets, is part of what `stty -g` prints.
  const session = `stty rows 12 cols 60; stty -g
    ${process.execPath} scripts/launch.mjs top --interval 0.2; echo "exit $?"; stty -g`;
  const child = spawn(requireProgram('script'), ['--quiet', '--return', '--command', session, '/dev/null'], {
    cwd: commandRoot(),
    env: commandEnvironment({ DATABASE_URL: migrated.server.url }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    await waitFor('three looks', () => output.split('\u001B[H').length > 3);
    child.stdin.write(key);
    await waitFor('top to leave', () => child.exitCode !== null);
  } finally {
    // Ends what it runs, too, as a terminal that is closed.
    child.kill('SIGTERM');
  }
  await closed;
  // oxlint-disable-next-line no-control-regex -- escape sequences are what is looked for
  const [before = '', view = '', after = ''] = output.split(/(\u001B\[\?1049h.*\u001B\[\?1049l)/s);
  expect(view.startsWith(ALTERNATE_SCREEN) && view.endsWith(FORMER_SCREEN)).toBe(true);
  expect(view).toContain('groundswell top');
  const settings = before.trim();
  expect(settings).toMatch(/^[\da-f:]+$/);
  expect(after.trim().split(/\s*\n/)).toEqual(['exit 0', settings]);
});
