import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../commands/run-command.ts';
import { startCommand, type RunningCommand } from '../commands/start-command.ts';
import { createTestDatabase, type TestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { testQueue } from '../servers/test-queue.ts';
import { waitFor } from '../servers/wait-for.ts';
import { as, asAdmin, ask, type System } from './system.ts';

/** API and worker as two users of Postgres, each with the rights of its group and no other; both queues in use. */
let database: TestDatabase;
let api: RunningCommand;
let worker: RunningCommand;
let system: System;
const url = { api: '', worker: '' };

beforeAll(async () => {
  database = await createTestDatabase();
  await query(database.url, `REVOKE CONNECT ON DATABASE "${database.name}" FROM PUBLIC`);
  const { url: amqpUrl, queue } = testQueue();
  expect(await runCommand('migrate', { DATABASE_URL: database.url })).toMatchObject({ exitCode: 0 });
  for (const part of ['api', 'worker'] as const) {
    const role = `${part}_${database.name}`;
    await query(database.url, `CREATE ROLE ${role} LOGIN IN ROLE groundswell_${part}`);
    const own = new URL(database.url);
    own.username = role;
    url[part] = own.href;
  }
  const env = { AMQP_URL: amqpUrl, QUEUE_NAME: queue, LOG_LEVEL: 'warn' };
  api = await startCommand('api', { ...env, DATABASE_URL: url.api });
  worker = await startCommand('worker', { ...env, DATABASE_URL: url.worker });
  system = { url: api.url, env, databaseUrl: database.url, [Symbol.asyncDispose]: async () => undefined };
});

afterAll(async () => {
  await Promise.all([api[Symbol.asyncDispose](), worker[Symbol.asyncDispose]()]);
  await query(database.url, `DROP ROLE ${new URL(url.api).username}; DROP ROLE ${new URL(url.worker).username}`);
  await database.drop();
});

async function data(document: string, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const { body } = await ask(system, document, {}, headers);
  expect(body.errors).toBeUndefined();
  return body.data ?? {};
}

const record = (item: string, type: string): string =>
  `mutation { recordInteraction(input: { itemId: "${item}", type: ${type} }) { interaction { id } userErrors { code } } }`;

async function count(table: string): Promise<unknown> {
  return (await query(database.url, `SELECT count(*)::int AS rows FROM ${table}`))[0]?.['rows'];
}

it('everything that clients and administrators ask for works with the rights of API and worker', async () => {
  await data(
    'mutation { upsertItems(items: [{ id: "a", title: "A" }, { id: "b", title: "B" }]) { items { id } } }',
    asAdmin,
  );
  await data(record('a', 'LIKE'), as('ann'));
  const viewed = await data(record('a', 'VIEW'), as('ann'));
  const own = JSON.stringify(viewed).match(/"id":"([^"]+)"/)?.[1];
  // A busy machine may take longer than the 2 s that this waits: asked again, as the answer says.
  const including = `{ popularItems(includes: ["${own}"]) { nodes { rank } } }`;
  await waitFor(
    'a read after the write',
    async () => (await ask(system, including, {}, as('ann'))).body.errors === undefined,
  );
  await data(record('b', 'VIEW'), as('bob'));
  await data('mutation { retractInteraction(input: { itemId: "a", type: LIKE }) { interaction { id } } }', as('ann'));
  await waitFor('four interactions to be recorded', async () => (await count('interactions')) === 4);
  await waitFor('b to be popular', async () => {
    const { popularItems } = await data('{ popularItems { nodes { item { id } counts { type count } } } }', {});
    return JSON.stringify(popularItems).includes('"b"');
  });
  await data('{ rankings { name } item(id: "a") { counts { count } viewerReactions } }', as('ann'));
  await data('{ popularItems(asOf: "2026-01-01T00:00:00Z", types: [VIEW]) { nodes { rank } } }', {});
  await data('{ viewer { reactions { nodes { item { id } } } interactions { nodes { id } } } }', as('ann'));
  await data('mutation { hideItems(ids: ["b"]) { ids } }', asAdmin);
  const { eraseViewer } = await data('mutation { eraseViewer(userId: "ann") { erasedInteractions } }', asAdmin);
  expect(eraseViewer).toEqual({ erasedInteractions: 3 });
  expect([await count('interactions'), await count('reactions'), await count('erasures')]).toEqual([1, 0, 1]);

  for (const { output } of [api, worker]) expect(output()).not.toMatch(/permission denied|must be owner|42501/);
  for (const each of [`${api.url}/health/ready`, `${worker.metricsUrl}/health/ready`]) {
    expect((await fetch(each)).status).toBe(200);
  }
});

it('the worker keeps its tables: partitions of new months, old minutes, old months, and what is rejected', async () => {
  await query(url.worker, "SELECT ensure_month('2031-01-15')");
  expect(await query(database.url, "SELECT to_regclass('interactions_203101')::text AS made")).toEqual([
    { made: 'interactions_203101' },
  ]);
  await query(url.worker, "SELECT drop_month('203101')");
  expect(await query(database.url, "SELECT to_regclass('people_203101') AS made")).toEqual([{ made: null }]);
  await expect(query(url.worker, "SELECT drop_month('x, items')")).rejects.toThrow('not a month');
  await query(url.worker, 'DELETE FROM minutes WHERE minute < 0; DELETE FROM rejected WHERE seq < 0');
});

/** Of every object there is, by whatever way: grants, defaults, PUBLIC. Months made by now are among them. */
const BEYOND = `
  WITH parts AS (SELECT * FROM pg_roles WHERE rolname IN ('groundswell_api', 'groundswell_worker')),
  held AS (
    SELECT rolname, 'TABLE' AS kind, "right", relname::text AS object
    FROM parts, pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS "right"
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND has_table_privilege(parts.oid, pg_class.oid, "right")
    UNION ALL SELECT rolname, 'FUNCTION', 'EXECUTE', p.oid::regprocedure::text
    FROM parts, pg_proc AS p
    WHERE pronamespace = 'public'::regnamespace AND prosecdef AND has_function_privilege(parts.oid, p.oid, 'EXECUTE')
  )
  SELECT * FROM held
  EXCEPT SELECT role, kind, "right", CASE kind WHEN 'FUNCTION' THEN object::regprocedure::text ELSE object END
    FROM wanted_rights(), unnest(objects) AS object
  UNION ALL SELECT rolname, 'SCHEMA', 'CREATE', nspname FROM parts, pg_namespace WHERE has_schema_privilege(parts.oid, pg_namespace.oid, 'CREATE')
  UNION ALL SELECT rolname, 'DATABASE', 'CREATE', current_database() FROM parts WHERE has_database_privilege(parts.oid, current_database(), 'CREATE')
  UNION ALL SELECT rolname, 'ROLE', 'MEMBER', roleid::regrole::text FROM parts JOIN pg_auth_members ON member = parts.oid
  UNION ALL SELECT rolname, 'ROLE', 'ATTRIBUTE', 'any' FROM parts
    WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolcanlogin`;

it('the roles of API and worker have no right but those on the list', async () => {
  expect(await query(database.url, BEYOND)).toEqual([]);
});

const DENIED = /permission denied|must be owner/;

describe.each([
  ['DELETE FROM interactions'],
  ['UPDATE totals SET events = 0'],
  [
    'INSERT INTO interactions (id, viewer, item_key, type, retraction) VALUES (gen_random_uuid(), gen_random_uuid(), 1, $$VIEW$$, false)',
  ],
  ['SELECT FROM outbox'],
  ['SELECT key FROM erasure_key'],
  ['DELETE FROM erasures'],
  ['DELETE FROM items'],
  ['UPDATE rankings SET position = 0'],
  ['SELECT ensure_month(now())'],
  ["SELECT drop_month('202601')"],
  ["SELECT add_shares('{1}', '{VIEW}', '{1}', '{1}', '{1}', 0)"],
  ['CREATE TABLE mine (x int)'],
  ['ALTER TABLE items ADD COLUMN x int'],
  ["UPDATE schema_floor SET migration = 'x'"],
  ['SET ROLE groundswell_migrator'],
  ['SET ROLE groundswell_worker'],
])('an API may not: %s', (statement) => {
  it('is refused', () => expect(query(url.api, statement)).rejects.toThrow(DENIED));
});

describe.each([
  ['DELETE FROM interactions'],
  ["UPDATE items SET title = 'x'"],
  ['DELETE FROM erasures'],
  ['UPDATE rankings SET position = 0'],
  ['SELECT erase_begin(gen_random_uuid())'],
  ['DROP TABLE people'],
  ['CREATE TABLE mine (x int)'],
  ['SET ROLE groundswell_migrator'],
])('a worker may not: %s', (statement) => {
  it('is refused', () => expect(query(url.worker, statement)).rejects.toThrow(DENIED));
});
