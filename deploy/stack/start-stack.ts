import { SignJWT } from 'jose';
import { runCommand } from '../../test/commands/run-command.ts';
import { claimAddresses } from './addresses.ts';
import { assignHosts } from './hosts.ts';
import type { Placement, StartedMember } from './member.ts';
import { buildRelease } from './release.ts';
import { newSecrets } from './secrets.ts';
import type { Stack, StackOptions } from './stack.ts';
import { PROMETHEUS_PORT, startExporters, startPrometheus } from './start-monitoring.ts';
import { NGINX_PORT, startNginx } from './start-nginx.ts';
import { consoleUrl, PGBOUNCER_PORT, startPgbouncer } from './start-pgbouncer.ts';
import { databaseUrl, startPrimary, startReplica } from './start-postgres.ts';
import { API_METRICS_PORT, API_PORT, startProcess, WORKER_METRICS_PORT } from './start-process.ts';
import { amqpUrl, startRabbitmq } from './start-rabbitmq.ts';
import { redisUrl, startRedis } from './start-redis.ts';

const ISSUER = 'https://id.example.com';
const AUDIENCE = 'groundswell';

/**
 * All of deploy/compose.yaml on loopback addresses, from servers installed here (`provision`) and the files of deploy/.
 * Several may run side by side. What it starts ends with this process, however that ends.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { apis = 2, workers = 2, replicas = 2, monitoring = true, onProgress = () => undefined } = options;
  const addresses = await claimAddresses(options.network);
  /** The parts, and what uses them and so ends before them. */
  const [parts, users]: [StartedMember[], StartedMember[]] = [[], []];
  const stop = async () => {
    for (const members of [users, parts]) await together(members.splice(0).map((member) => member.stop()));
    await addresses.release();
  };
  async function up<Started extends StartedMember>(members: StartedMember[], starting: Promise<Started>) {
    const member = await starting;
    members.push(member);
    onProgress(`${member.name.padEnd(28)} ${member.address}`);
    return member;
  }

  try {
    const hosts = assignHosts(addresses, { apis, workers, replicas });
    const secrets = newSecrets();
    const place = (name: string, index = 0): Placement => {
      const address = hosts[name]?.[index];
      if (address === undefined) throw new Error(`no address for ${name}`);
      return { name, address, hosts, secrets };
    };
    const slots = Array.from({ length: replicas }, (_, index) => `replica_${index + 1}`);

    async function startPostgres() {
      const primary = await up(parts, startPrimary(place('postgres-primary'), slots));
      const [pgbouncer, standbys] = await together([
        up(parts, startPgbouncer(place('pgbouncer'))),
        together(
          slots.map((slot, index) => up(parts, startReplica(place(`postgres-replica-${index + 1}`), primary, slot))),
        ),
      ]);
      return { primary, standbys, pgbouncer };
    }
    const [release, { primary, standbys, pgbouncer }, rabbitmq, redis] = await together([
      options.release ?? buildRelease(),
      startPostgres(),
      up(parts, startRabbitmq(place('rabbitmq'))),
      up(parts, startRedis(place('redis'))),
    ]);

    const env = {
      NODE_ENV: 'production',
      DATABASE_URL: databaseUrl(place('pgbouncer'), PGBOUNCER_PORT),
      DATABASE_DIRECT_URL: databaseUrl(place('postgres-primary')),
      DATABASE_REPLICA_URLS: standbys.map(({ address }) => databaseUrl({ address, secrets })).join(','),
      AMQP_URL: amqpUrl(place('rabbitmq')),
      REDIS_URL: redisUrl(place('redis')),
      AUTH_JWT_SECRET: secrets.AUTH_JWT_SECRET,
      AUTH_ISSUER: ISSUER,
      AUTH_AUDIENCE: AUDIENCE,
      ...options.env,
    };
    const migrated = await runCommand('migrate', env, [], release);
    if (migrated.exitCode !== 0) throw new Error(`migrate ended with ${migrated.exitCode}: ${migrated.stderr}`);
    onProgress('migrations are applied');

    const [pooler, broker, cache] = [place('pgbouncer'), place('rabbitmq'), place('redis')];
    const without = { DATABASE_DIRECT_URL: '', DATABASE_REPLICA_URLS: '' };
    const partEnv = {
      api: {
        ...env,
        ...without,
        DATABASE_URL: databaseUrl(pooler, PGBOUNCER_PORT, 'api'),
        DATABASE_REPLICA_URLS: standbys.map(({ address }) => databaseUrl({ address, secrets }, 5432, 'api')).join(','),
        AMQP_URL: amqpUrl(broker, 'api'),
        REDIS_URL: redisUrl(cache, 'api'),
        ...options.env,
      },
      worker: {
        ...env,
        ...without,
        DATABASE_URL: databaseUrl(pooler, PGBOUNCER_PORT, 'worker'),
        AMQP_URL: amqpUrl(broker, 'worker'),
        REDIS_URL: redisUrl(cache, 'worker'),
        ...options.env,
      },
    };
    const startNumbered = (entry: 'api' | 'worker', count: number) =>
      Array.from({ length: count }, (_, index) => {
        const { address } = place(entry, index);
        return up(users, startProcess({ name: `${entry}-${index + 1}`, address, entry, release, env: partEnv[entry] }));
      });
    const [apiMembers, workerMembers] = await together([
      together(startNumbered('api', apis)),
      together(startNumbered('worker', workers)),
    ]);
    const nginx = await up(users, startNginx({ ...place('nginx'), isExempt: options.unlimited ?? false }));
    if (monitoring) {
      await together(startExporters(place, replicas).map((exporter) => up(users, exporter)));
      await up(users, startPrometheus(place('prometheus'), options.adjustPrometheus));
    }

    return {
      url: `http://${nginx.address}:${NGINX_PORT}`,
      prometheusUrl: monitoring ? `http://${place('prometheus').address}:${PROMETHEUS_PORT}` : null,
      apis: apiMembers.map((member) => ({
        ...member,
        url: `http://${member.address}:${API_PORT}`,
        metricsUrl: `http://${member.address}:${API_METRICS_PORT}/metrics`,
      })),
      workers: workerMembers.map((member) => ({
        ...member,
        metricsUrl: `http://${member.address}:${WORKER_METRICS_PORT}/metrics`,
      })),
      nginx,
      pgbouncer,
      primary,
      replicas: standbys,
      rabbitmq,
      redis,
      members: [...parts, ...users],
      databaseUrl: env.DATABASE_DIRECT_URL,
      replicaUrls: standbys.map(({ address }) => databaseUrl({ address, secrets })),
      pgbouncerUrl: env.DATABASE_URL,
      pgbouncerConsoleUrl: consoleUrl(place('pgbouncer')),
      amqpUrl: env.AMQP_URL,
      redisUrl: env.REDIS_URL,
      env,
      run: (command, args = []) => runCommand(command, env, args, release),
      token: (userId, role) =>
        new SignJWT(role === undefined ? {} : { role })
          .setProtectedHeader({ alg: 'HS256' })
          .setSubject(userId)
          .setIssuer(ISSUER)
          .setAudience(AUDIENCE)
          .setIssuedAt()
          .setExpirationTime('1d')
          .sign(Buffer.from(secrets.AUTH_JWT_SECRET)),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As `Promise.all`, but fails only when nothing is under way any more: what did start can then be ended. */
async function together<const Promises extends readonly unknown[]>(
  promises: Promises,
): Promise<{ -readonly [Index in keyof Promises]: Awaited<Promises[Index]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
