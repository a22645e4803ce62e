import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { runCommand } from '../commands/run-command.ts';
import { graphql, startCommand } from '../commands/start-command.ts';
import { ask } from '../end-to-end/system.ts';
import { freePort } from '../servers/free-port.ts';
import { requireProgram } from '../servers/programs.ts';
import { query } from '../servers/query.ts';
import { startPostgres, type PostgresCluster } from '../servers/start-postgres.ts';
import { startRabbitmq, type RabbitmqServer } from '../servers/start-rabbitmq.ts';
import { startRedis, type RedisServer } from '../servers/start-redis.ts';
import { testDirectory } from '../servers/test-run.ts';
import { give, unprivilegedUser } from '../servers/unprivileged-user.ts';
import { waitFor } from '../servers/wait-for.ts';

const ADMIN = { 'x-user-id': 'root', 'x-user-role': 'admin' };
const REPORT = z.object({ parts: z.array(z.object({ name: z.string(), problem: z.string().nullable() })) });
const PARTS = [
  'Postgres (DATABASE_URL)',
  'Replica 1 (DATABASE_REPLICA_URLS)',
  'RabbitMQ (AMQP_URL)',
  'Redis (REDIS_URL)',
];
let authority: string;
let strangersAuthority: string;
let postgres: PostgresCluster;
let rabbitmq: RabbitmqServer;
let redis: RedisServer;
let env: Record<string, string>;

function openssl(directory: string, command: string): void {
  execFileSync(requireProgram('openssl'), command.split(' '), { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Its certificate's file. */
function makeAuthority(directory: string, name: string): string {
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(directory, `req -x509 -days 1 ${key} -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`);
  return join(directory, `${name}.pem`);
}

/** For 127.0.0.1, and no name. */
function makeServerCertificate(directory: string): void {
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  writeFileSync(join(directory, 'names'), 'subjectAltName=IP:127.0.0.1\n');
  openssl(directory, `req ${key} -subj /CN=server -keyout server.key -out server.csr`);
  openssl(
    directory,
    'x509 -req -days 1 -in server.csr -CA ours.pem -CAkey ours.key -CAcreateserial -extfile names -out server.pem',
  );
}

beforeAll(async () => {
  const directory = testDirectory('certificates');
  authority = makeAuthority(directory, 'ours');
  strangersAuthority = makeAuthority(directory, 'strangers');
  makeServerCertificate(directory);
  const file = (name: string): string => join(directory, name);
  // Postgres takes a key from nobody but its own user, and from them alone.
  copyFileSync(file('server.key'), file('postgres.key'));
  chmodSync(file('postgres.key'), 0o600);
  give(file('postgres.key'), unprivilegedUser());
  const [amqpPort, redisPort] = [await freePort(), await freePort()];
  [postgres, rabbitmq, redis] = await Promise.all([
    startPostgres({
      replicas: 1,
      config: ['ssl = on', `ssl_cert_file = '${file('server.pem')}'`, `ssl_key_file = '${file('postgres.key')}'`].join(
        '\n',
      ),
    }),
    startRabbitmq({
      config: [
        `listeners.ssl.1 = 127.0.0.1:${amqpPort}`,
        `ssl_options.cacertfile = ${authority}`,
        `ssl_options.certfile = ${file('server.pem')}`,
        `ssl_options.keyfile = ${file('server.key')}`,
      ].join('\n'),
    }),
    startRedis({
      arguments: Object.entries({
        'tls-port': String(redisPort),
        'tls-auth-clients': 'no',
        'tls-ca-cert-file': authority,
        'tls-cert-file': file('server.pem'),
        'tls-key-file': file('server.key'),
      }).flatMap(([name, value]) => [`--${name}`, value]),
    }),
  ]);
  const { url, replicaUrls } = await postgres.createDatabase();
  env = {
    DATABASE_URL: `${url}?sslmode=verify-full`,
    DATABASE_DIRECT_URL: `${url}?sslmode=verify-full`,
    DATABASE_REPLICA_URLS: replicaUrls.map((replica) => `${replica}?sslmode=verify-full`).join(','),
    AMQP_URL: `amqps://guest:guest@127.0.0.1:${amqpPort}`,
    REDIS_URL: `rediss://127.0.0.1:${redisPort}`,
    NODE_EXTRA_CA_CERTS: authority,
    LOG_LEVEL: 'warn',
  };
});

afterAll(() => Promise.all([postgres.stop(), rabbitmq.stop(), redis.stop()]));

async function doctor(given: Record<string, string>): Promise<string[]> {
  const { stdout } = await runCommand('doctor', given);
  return PARTS.map((part) => stdout.split('\n').find((line) => line.includes(part)) ?? `no line of ${part}`);
}

it('with TLS asked for by each URL, what is accepted is recorded, and no connection is in the clear', async () => {
  expect(await runCommand('migrate', env)).toMatchObject({ exitCode: 0 });
  await using api = await startCommand('api', env);
  await using worker = await startCommand('worker', env);
  await graphql(api.url, 'mutation { upsertItems(items: [{ id: "a", title: "A" }]) { items { id } } }', ADMIN);
  await graphql(
    api.url,
    'mutation { recordInteraction(input: { itemId: "a", type: VIEW }) { interaction { id } } }',
    ADMIN,
  );
  const [plain = '', replica = ''] = ['DATABASE_URL', 'DATABASE_REPLICA_URLS'].map((name) => env[name]?.split('?')[0]);
  await waitFor('the view to be recorded', async () => (await query(plain, 'SELECT FROM interactions')).length === 1);
  for (const server of [plain, replica]) {
    const sessions = await query(
      server,
      `SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'groundswell'`,
    );
    expect(sessions).toEqual([{ ssl: true }]);
  }
  for (const url of [api.metricsUrl, worker.metricsUrl]) {
    // The look at its start, before it was ready, is told for half a second.
    const areReady = async (): Promise<boolean> => {
      const report = await (await fetch(`${url}/health/ready`)).text();
      return report.includes('"ready":true') && !report.includes('"ready":false');
    };
    await waitFor(`every part at ${url} to be ready`, areReady, { deadlineMs: 5_000 });
  }
  const metrics = await (await fetch(`${api.metricsUrl}/metrics`)).text();
  expect(metrics).toMatch(/^groundswell_published_total\{queue="rabbitmq"\} 1$/m);
  for (const line of await doctor(env)) expect(line).toMatch(/^ok /);
});

const DISTRUSTED: [string, () => Record<string, string>][] = [
  ['of an authority that we do not know', () => ({ ...env, NODE_EXTRA_CA_CERTS: strangersAuthority })],
  [
    'for another host',
    () =>
      Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value.replace('127.0.0.1', 'localhost')])),
  ],
];
const UNTRUSTED = /certificate|altnames/;

it.each(DISTRUSTED)('a server with a certificate %s is refused, and said to be', async (_, given) => {
  for (const line of await doctor(given())) {
    expect(line).toMatch(new RegExp(`^FAULT .*cannot be reached: .*(?:${UNTRUSTED.source})`));
  }
});

it.each(DISTRUSTED)('API and worker use no server with a certificate %s, and say why', async (_, given) => {
  await using api = await startCommand('api', given());
  await using worker = await startCommand('worker', given());
  const write = 'mutation { recordInteraction(input: { itemId: "a", type: VIEW }) { interaction { id } } }';
  expect(await ask(api, write, {}, ADMIN)).toMatchObject({
    status: 503,
    body: { errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] },
  });
  const names = ['postgres', 'replicas', 'rabbitmq', 'redis'];
  for (const url of [api.url, worker.metricsUrl]) {
    await waitFor(`${names.join(', ')} at ${url} to be refused`, async () => {
      const response = await fetch(`${url}/health/ready`);
      const { parts } = REPORT.parse(await response.json());
      const refused = parts.filter(({ problem }) => UNTRUSTED.test(problem ?? '')).map(({ name }) => name);
      return response.status === 503 && names.every((name) => refused.includes(name));
    });
  }
});
