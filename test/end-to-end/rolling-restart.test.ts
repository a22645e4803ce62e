import { afterAll, beforeAll, expect, it } from 'vitest';
import { graphql, startCommand, type RunningCommand } from '../commands/start-command.ts';
import { runCommand } from '../commands/run-command.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { freePort } from '../servers/free-port.ts';
import { waitFor } from '../servers/wait-for.ts';
import { startLoad } from './keep-alive-load.ts';
import { startProxy, type Proxy } from './start-proxy.ts';

const MAKE = 'mutation { upsertItems(items: [{ id: "mine", title: "Mine" }]) { userErrors { code } } }';
const RESTARTS = 4;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let nginx: Proxy;
let apis: [RunningCommand, RunningCommand];

beforeAll(async () => {
  database = await createTestDatabase();
  expect((await runCommand('migrate', { DATABASE_URL: database.url })).exitCode).toBe(0);
  apis = [await startApi(await freePort()), await startApi(await freePort())];
  await graphql(apis[0].url, MAKE, { 'x-user-id': 'ann', 'x-user-role': 'admin' });
  nginx = await startProxy(
    apis.map(({ url }) => url),
    { isExempt: true },
  );
}, 400_000);
afterAll(async () => {
  await nginx?.stop();
  for (const api of apis ?? []) await api[Symbol.asyncDispose]();
  await database?.drop();
});

function startApi(port: number): Promise<RunningCommand> {
  return startCommand('api', {
    DATABASE_URL: database.url,
    PORT: String(port),
    SHUTDOWN_GRACE_MS: '500',
    LOG_LEVEL: 'warn',
  });
}

/** nginx sends it requests: it has forgotten that the process was away. */
async function takesPart(api: RunningCommand): Promise<boolean> {
  const page = await (await fetch(`${api.metricsUrl}/metrics`)).text();
  return /^groundswell_http_requests_total\{[^}]*status="200"[^}]*\} \d+$/m.test(page);
}

it(
  'API hosts are restarted one after the other, and one is killed, without one failed request',
  { timeout: 400_000 },
  async () => {
    const load = startLoad(nginx.url, { clients: 8, gapMs: 50 });
    for (const api of apis) await waitFor('a share of the load', () => takesPart(api));
    for (let restart = 0; restart <= RESTARTS; restart += 1) {
      const turn = restart % 2 === 0 ? 0 : 1;
      const old = apis[turn];
      const before = load.answered();
      old.signal(restart === RESTARTS ? 'SIGKILL' : 'SIGTERM');
      expect(await old.ended()).toBe(restart === RESTARTS ? null : 0);
      await waitFor('the other to answer alone', () => load.answered() > before + 50);
      const restarted = await startApi(Number(new URL(old.url).port));
      apis[turn] = restarted;
      await waitFor('a share of the load', () => takesPart(restarted));
    }
    const { answered, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(50 * RESTARTS);
  },
);
