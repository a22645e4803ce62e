import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { examineRights } from '../../../src/adapters/postgres/postgres-rights.ts';
import { runCommand } from '../../commands/run-command.ts';
import { query } from '../../servers/query.ts';
import { startPostgres } from '../../servers/start-postgres.ts';
import { buildManifests, type Manifests } from './manifests.ts';
import { KUBERNETES } from './objects.ts';

const README = readFileSync(join(KUBERNETES, 'README.md'), 'utf8');
const CLUSTER = z.object({
  bootstrap: z.object({
    initdb: z.object({
      database: z.string(),
      owner: z.string(),
      secret: z.object({ name: z.string() }),
      postInitApplicationSQL: z.array(z.string()),
    }),
  }),
  managed: z.object({
    roles: z.array(
      z.object({
        name: z.string(),
        ensure: z.literal('present'),
        login: z.literal(true),
        inRoles: z.array(z.string()),
        passwordSecret: z.object({ name: z.string() }),
      }),
    ),
  }),
});
let manifests: Manifests;

beforeAll(async () => {
  manifests = await buildManifests();
});

/** Of each `create secret` in the README: the keys, and what goes into them. */
function readmeSecrets(): Map<string, Record<string, string>> {
  const commands = README.replaceAll('\\\n', ' ').matchAll(/create secret generic (\S+)(.*)$/gm);
  return new Map(
    [...commands].map(([, name = '', rest = '']) => {
      const values = [...rest.matchAll(/--from-(?:literal|file)=([\w.]+)=("[^"]*"|\S+)/g)];
      return [name, Object.fromEntries(values.map(([, key, value]) => [key, (value ?? '').replaceAll('"', '')]))];
    }),
  );
}

it('each part has a secret of its own, and the README makes every key of it and no other', () => {
  const wanted = new Map<string, Set<string>>();
  const want = (secret: string, ...keys: string[]): void => {
    wanted.set(secret, new Set([...(wanted.get(secret) ?? []), ...keys]));
  };
  for (const [name, { template }] of manifests.workloads()) {
    const refs = template.spec.containers[0].env?.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []) ?? [];
    // The job of a version has its number in its name.
    const own = name.replace(/-\d+-\d+-\d+$/, '');
    expect(refs.map((ref) => ref.name)).toEqual(refs.map(() => own));
    want(own, ...refs.map(({ key }) => key));
  }
  expect([...wanted.keys()]).toEqual(['groundswell-api', 'groundswell-worker', 'groundswell-migrate']);
  const cluster = CLUSTER.parse(manifests.named('Cluster', 'groundswell-postgres').spec);
  const basicAuth = [cluster.bootstrap.initdb.secret, ...cluster.managed.roles.map((role) => role.passwordSecret)];
  for (const { name } of basicAuth) want(name, 'username', 'password');
  want('groundswell-rabbitmq-definitions', 'definitions.json');
  want('groundswell-keda', 'RABBITMQ_URL');

  const made = [...readmeSecrets()].map(([name, values]) => [name, Object.keys(values).toSorted()]);
  expect(Object.fromEntries(made)).toEqual(
    Object.fromEntries([...wanted].map(([name, keys]) => [name, [...keys].toSorted()])),
  );
});

it('no part is given the password of another', () => {
  for (const [secret, values] of readmeSecrets()) {
    const [, part] = /^groundswell-(api|worker|migrate|keda)$/.exec(secret) ?? [];
    if (part === undefined) continue;
    const user = { migrate: 'groundswell', keda: 'monitor' }[part] ?? part;
    const logins = Object.values(values).flatMap((value) => [...value.matchAll(/:\/\/(\w+):\$(\w+)@/g)]);
    expect(logins.length).toBeGreaterThan(0);
    for (const [, who, variable = ''] of logins) {
      expect([secret, who]).toEqual([secret, user]);
      const prefix = { groundswell: 'DATABASE_', monitor: 'MONITOR_' }[user] ?? `${user.toUpperCase()}_`;
      expect(variable).toMatch(new RegExp(`^${prefix}`));
    }
  }
});

it('roles that the cluster is made with get from the migration what their parts need, and no more', async () => {
  const { bootstrap, managed } = CLUSTER.parse(manifests.named('Cluster', 'groundswell-postgres').spec);
  const { owner, database, postInitApplicationSQL } = bootstrap.initdb;
  await using server = await startPostgres();
  // In the order in which CloudNativePG does it.
  await query(server.url, `CREATE ROLE ${owner} LOGIN`);
  await query(server.url, `CREATE DATABASE ${database} OWNER ${owner}`);
  const as = (user: string): string => {
    const url = new URL(server.primary.urlOf(database));
    url.username = user;
    return url.href;
  };
  for (const statement of postInitApplicationSQL) await query(as('postgres'), statement);
  for (const { name, inRoles } of managed.roles) {
    const there = await query(as('postgres'), `SELECT FROM pg_roles WHERE rolname = '${name}'`);
    if (there.length === 0) await query(as('postgres'), `CREATE ROLE ${name} LOGIN`);
    await query(as('postgres'), `GRANT ${inRoles.join(', ')} TO ${name}`);
  }

  const migrated = await runCommand('migrate', { DATABASE_URL: as(owner) });
  expect([migrated.exitCode, migrated.stderr]).toEqual([0, expect.not.stringContaining('role')]);
  for (const part of ['api', 'worker']) {
    expect(await examineRights('Rights', as(part))).toMatchObject({
      ok: true,
      text: `${part} may do what ${part} must`,
    });
    await expect(query(as(part), 'CREATE TABLE mine ()')).rejects.toThrow(/permission denied/);
  }
  expect(await query(as('api'), 'SHOW statement_timeout')).toEqual([{ statement_timeout: '10s' }]);
  await expect(query(as('api'), 'DELETE FROM interactions')).rejects.toThrow(/permission denied/);
  expect(await examineRights('Rights', as(owner))).toMatchObject({ ok: true });
  await expect(query(as(owner), 'CREATE ROLE more')).rejects.toThrow(/permission denied/);
});
