import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { createTestRedis } from '../servers/create-test-redis.ts';
import { testDirectory } from '../servers/test-run.ts';
import { testQueue } from '../servers/test-queue.ts';
import { query } from '../servers/query.ts';
import { waitFor } from '../servers/wait-for.ts';
import { SOURCES } from './command-root.ts';
import { pasteIntoShell, readmeBlock } from './readme-blocks.ts';
import { runCommand } from './run-command.ts';
import { graphql, startCommand, type RunningCommand } from './start-command.ts';

const LIKE =
  'mutation { recordInteraction(input: { itemId: "mine", type: LIKE }) { interaction { id } userErrors { code } } }';
const MAKE =
  'mutation { upsertItems(items: [{ id: "mine", title: "Mine", category: "own" }]) { userErrors { code } } }';
const POPULAR = '{ popularItems(category: "own") { nodes { people item { id } } } }';
const ADMIN = { 'x-user-id': 'ann', 'x-user-role': 'admin' };
const LIKED = { popularItems: { nodes: [{ people: 1, item: { id: 'mine' } }] } };

async function showsLike(url: string): Promise<boolean> {
  return JSON.stringify(await graphql(url, POPULAR)) === JSON.stringify(LIKED);
}

/** From the sources, as `npm start` is. */
describe('npm start with nothing set', () => {
  let dataDir: string;
  let start: RunningCommand;

  beforeAll(async () => {
    dataDir = testDirectory('data');
    start = await startCommand('main', { DATA_DIR: dataDir }, SOURCES);
  });
  afterAll(() => start[Symbol.asyncDispose]());

  it('prints the URLs and a request to try, with a demo catalogue to answer it', async () => {
    await waitFor('the banner', () => start.output().includes('Ctrl-C stops it.'));
    expect(start.output()).toContain(`${start.url}/graphql`);
    expect(start.output()).toContain(`${start.metricsUrl}/metrics`);
    const query = /-d '(.*)'/.exec(start.output())?.[1];
    const response = await fetch(`${start.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: query ?? '',
    });
    expect(await response.json()).toMatchObject({ data: { popularItems: { nodes: [{ rank: 1 }, {}, {}] } } });
  });

  it('says that it is ready as the README shows it', async () => {
    const [shown = '', answer] = (await readmeBlock('', 'curl')).split('\n');
    const command = shown.replace('$ ', '').replace('http://127.0.0.1:4000', start.url);
    expect(await pasteIntoShell(command)).toBe(answer);
  });

  it('warns that development identity believes everybody', () => {
    expect(start.output()).toContain('development identity');
  });

  it('a like shows to its viewer at once and to everybody within 2 s', async () => {
    await graphql(start.url, MAKE, ADMIN);
    await graphql(start.url, LIKE, ADMIN);
    const mine = await graphql(start.url, '{ item(id: "mine") { viewerReactions } }', ADMIN);
    expect(mine).toEqual({ item: { viewerReactions: ['LIKE'] } });
    await waitFor('the like to count', () => showsLike(start.url), { deadlineMs: 2_000, everyMs: 20 });
  });

  it('a second server on the same folder is refused in one line', async () => {
    const second = await runCommand('main', { DATA_DIR: dataDir, PORT: '0', METRICS_PORT: '0' }, [], SOURCES);
    expect(second.exitCode).toBe(78);
    expect(second.stderr.trim()).toMatch(/^another Groundswell is running on .*$/);
  });

  it('a taken port is named in one line', async () => {
    const other = await runCommand('main', {
      DATA_DIR: testDirectory('other'),
      PORT: new URL(start.url).port,
      METRICS_PORT: '0',
    });
    expect(other.exitCode).toBe(78);
    expect(other.stderr.trim()).toMatch(new RegExp(`^port ${new URL(start.url).port} .*taken.*PORT.*$`));
  });

  it('commands work beside it', async () => {
    const doctor = await runCommand('doctor', { DATA_DIR: dataDir }, [], SOURCES);
    expect(doctor).toMatchObject({ exitCode: 0, stderr: '' });
    expect(start.exitCode()).toBeNull();
  });

  it('Ctrl-C drains and exits 0, and the next start finds its data', async () => {
    start.signal('SIGINT');
    expect(await start.ended()).toBe(0);
    start = await startCommand('main', { DATA_DIR: dataDir }, SOURCES);
    await waitFor('the like to be there', () => showsLike(start.url));
  });
});

it('on real parts: not ready on an older schema or one too new, between them API and worker record together, and end with 0', async () => {
  await using database = await createTestDatabase();
  const { url: amqpUrl, queue } = testQueue();
  const env = {
    DATABASE_URL: database.url,
    DATABASE_REPLICA_URLS: database.replicaUrls.join(','),
    DATABASE_REPLICA_MAX_LAG_MS: '60000',
    AMQP_URL: amqpUrl,
    QUEUE_NAME: queue,
    REDIS_URL: (await createTestRedis()).url,
  };
  await using api = await startCommand('api', env);
  const before = await fetch(`${api.url}/health/ready`);
  expect(before.status).toBe(503);
  expect(await before.json()).toMatchObject({
    parts: expect.arrayContaining([
      {
        name: 'migrations',
        required: true,
        ready: false,
        problem: expect.stringMatching(/^the schema is older than this version, \d+ pending: npm run migrate$/),
      },
    ]),
  });
  expect((await runCommand('migrate', env)).exitCode).toBe(0);
  await waitFor('the API to be ready', async () => (await fetch(`${api.url}/health/ready`)).ok);

  await using worker = await startCommand('worker', env);
  await waitFor('the worker to be ready', async () => (await fetch(`${worker.metricsUrl}/health/ready`)).ok);
  await graphql(api.url, MAKE, ADMIN);
  await graphql(api.url, LIKE, ADMIN);
  await waitFor('the like to count', () => showsLike(api.url));
  const published = await (await fetch(`${api.metricsUrl}/metrics`)).text();
  expect(published).toMatch(/^groundswell_published_total\{queue="rabbitmq"\} 1$/m);

  await query(database.url, "UPDATE schema_floor SET migration = '20990101000000_later'");
  for (const url of [api.url, worker.metricsUrl]) {
    await waitFor('it to be behind the schema', async () => {
      const text = await (await fetch(`${url}/health/ready`)).text();
      return text.includes('the schema is newer than this version can work on');
    });
  }
  for (const { output } of [api, worker]) {
    expect(output()).toMatch(/the schema is newer than this version can work on.*the schema does not fit: not ready/);
  }
  for (const command of [api, worker]) {
    command.signal('SIGTERM');
    expect(await command.ended()).toBe(0);
  }
});
