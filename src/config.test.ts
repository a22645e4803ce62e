import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CONFIG_VARIABLES, configTable } from './config-variables.ts';
import { parseConfig, type Config } from './config.ts';

type Env = Record<string, string>;

const PRODUCTION: Env = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://app:hunter2@db:5432/groundswell',
  AUTH_JWKS_URL: 'https://id.example.com/jwks.json',
};

function configOf(env: Env): Config {
  const parsed = parseConfig(env);
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'));
  return parsed.config;
}

function faultsOf(env: Env, servesApi = true): string[] {
  const parsed = parseConfig(env, { servesApi });
  return parsed.ok ? [] : parsed.faults;
}

it('with nothing set everything is embedded, on the loopback address, with development identity', () => {
  const config = configOf({});
  expect(config.production).toBe(false);
  expect(config.host).toBe('127.0.0.1');
  expect(config.database).toEqual({
    url: null,
    directUrl: null,
    replicaUrls: [],
    poolSize: 10,
    replicaMaxLagMs: 1_000,
    dataDir: null,
  });
  expect(config.queue.amqpUrls).toEqual([]);
  expect(config.cache).toEqual({ redisUrl: null, ttlMs: 500 });
  expect(config.api.auth).toEqual({ kind: 'development' });
  expect(config.api.anonymousWrites).toBe(true);
});

it('in production it listens on every address and takes no anonymous writes, unless told otherwise', () => {
  const config = configOf(PRODUCTION);
  expect(config.host).toBe('0.0.0.0');
  expect(config.api.anonymousWrites).toBe(false);
  expect(configOf({ ...PRODUCTION, ANONYMOUS_WRITES: 'true' }).api.anonymousWrites).toBe(true);
});

it('lists are split at commas, and spaces around values do not count', () => {
  const config = configOf({
    DATABASE_URL: ' postgresql://a/b ',
    DATABASE_REPLICA_URLS: 'postgres://r1/b, postgres://r2/b,',
    AMQP_URL: 'amqp://q1,amqps://q2',
    CORS_ORIGINS: 'https://a.example, http://localhost:3000',
  });
  expect(config.database.url).toBe('postgresql://a/b');
  expect(config.database.replicaUrls).toEqual(['postgres://r1/b', 'postgres://r2/b']);
  expect(config.queue.amqpUrls).toEqual(['amqp://q1', 'amqps://q2']);
  expect(config.api.corsOrigins).toEqual(['https://a.example', 'http://localhost:3000']);
});

it('a variable set to nothing is as one that is not set', () => {
  const nothing = Object.fromEntries(CONFIG_VARIABLES.map(({ name }) => [name, ' ']));
  expect(configOf(nothing)).toEqual(configOf({}));
});

it('every default of the table is taken as it stands there', () => {
  const shown = CONFIG_VARIABLES.flatMap(({ name, default: value }) =>
    value === null || value.startsWith('(') || name === 'DATA_DIR' ? [] : [[name, value]],
  );
  expect(configOf(Object.fromEntries(shown))).toEqual(configOf({}));
});

const DATABASE = { DATABASE_URL: 'postgres://a/b' };
const SECRET = 'a shared secret that has over 32 bytes';

describe.each<[string, Env, string]>([
  ['a port that is no number', { PORT: 'abc' }, 'PORT'],
  ['a port out of range', { PORT: '65536' }, 'PORT'],
  ['a negative port', { METRICS_PORT: '-1' }, 'METRICS_PORT'],
  ['a number with a unit', { CACHE_TTL_MS: '500ms' }, 'CACHE_TTL_MS'],
  ['a broken number', { RECORD_BATCH_MAX_WAIT_MS: '1.5' }, 'RECORD_BATCH_MAX_WAIT_MS'],
  ['one port for two servers', { PORT: '4000', METRICS_PORT: '4000' }, 'METRICS_PORT'],
  ['no process at all', { WEB_CONCURRENCY: '0' }, 'WEB_CONCURRENCY'],
  ['a prefetch smaller than the batch', { QUEUE_PREFETCH: '2400' }, 'QUEUE_PREFETCH'],
  ['a batch larger than the prefetch', { RECORD_BATCH_MAX_ITEMS: '8001' }, 'QUEUE_PREFETCH'],
  ['an unknown database scheme', { DATABASE_URL: 'mysql://root:hunter2@db/x' }, 'DATABASE_URL'],
  ['a database that is no URL', { DATABASE_URL: 'hunter2' }, 'DATABASE_URL'],
  ['a database URL with a port that is none', { DATABASE_URL: 'postgres://root:hunter2@db:port/x' }, 'DATABASE_URL'],
  ['a database without a host', { DATABASE_URL: 'postgres:///x' }, 'DATABASE_URL'],
  [
    'an unknown replica scheme',
    { ...DATABASE, DATABASE_REPLICA_URLS: 'postgres://a/b,http://c' },
    'DATABASE_REPLICA_URLS',
  ],
  ['replicas of nothing', { DATABASE_REPLICA_URLS: 'postgres://a/b' }, 'DATABASE_REPLICA_URLS'],
  ['a direct way to nothing', { DATABASE_DIRECT_URL: 'postgres://a/b' }, 'DATABASE_DIRECT_URL'],
  ['an unknown queue scheme', { AMQP_URL: 'kafka://u:hunter2@q' }, 'AMQP_URL'],
  ['one bad queue node of two', { AMQP_URL: 'amqp://q1,q2' }, 'AMQP_URL'],
  ['an unknown cache scheme', { REDIS_URL: 'memcached://c' }, 'REDIS_URL'],
  ['an unknown environment', { NODE_ENV: 'prod' }, 'NODE_ENV'],
  ['an unknown log level', { LOG_LEVEL: 'verbose' }, 'LOG_LEVEL'],
  ['a flag that is neither', { ANONYMOUS_WRITES: 'yes' }, 'ANONYMOUS_WRITES'],
  ['an unknown mode', { PERSISTED_QUERIES: 'on' }, 'PERSISTED_QUERIES'],
  ['a safelist without a list', { PERSISTED_QUERIES: 'enforce' }, 'PERSISTED_QUERIES'],
  ['an origin with a path', { CORS_ORIGINS: 'https://a.example/app' }, 'CORS_ORIGINS'],
  ['retention shorter than the age that is taken', { RETENTION_DAYS: '29' }, 'RETENTION_DAYS'],
  ['no time left to drain', { SHUTDOWN_GRACE_MS: '10000' }, 'SHUTDOWN_TIMEOUT_MS'],
  ['two ways to verify', { AUTH_JWKS_URL: 'https://a/b', AUTH_JWT_SECRET: SECRET }, 'AUTH_JWKS_URL'],
  ['keys over an unknown scheme', { AUTH_JWKS_URL: 'ftp://a/b' }, 'AUTH_JWKS_URL'],
  ['a short secret', { AUTH_JWT_SECRET: 'hunter2' }, 'AUTH_JWT_SECRET'],
  ['a public key as the secret', { AUTH_JWT_SECRET: `-----BEGIN PUBLIC KEY-----${SECRET}` }, 'AUTH_JWT_SECRET'],
  ['an issuer without keys', { AUTH_ISSUER: 'https://a' }, 'AUTH_ISSUER'],
  ['development identity on an open address', { HOST: '0.0.0.0' }, 'HOST'],
  ['development identity in production', { ...DATABASE, NODE_ENV: 'production' }, 'AUTH_JWKS_URL'],
  ['a collector of an unknown scheme', { OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://c:4317' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
  ['an unknown exporter', { OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER'],
  ['an unknown sampler', { OTEL_TRACES_EXPORTER: 'otlp', OTEL_TRACES_SAMPLER: 'some' }, 'OTEL_TRACES_SAMPLER'],
  ['a share over the whole', { OTEL_TRACES_EXPORTER: 'otlp', OTEL_TRACES_SAMPLER_ARG: '5' }, 'OTEL_TRACES_SAMPLER_ARG'],
  [
    'headers that are no pairs',
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_HEADERS: 'hunter2' },
    'OTEL_EXPORTER_OTLP_HEADERS',
  ],
  ['embedded Postgres in production', { NODE_ENV: 'production', AUTH_JWT_SECRET: SECRET }, 'DATABASE_URL'],
])('%s', (_, env, name) => {
  it(`is one fault, of ${name}, that quotes no value`, () => {
    const faults = faultsOf(env);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}: [^\n]+$`));
    expect(faults[0]).not.toContain('hunter2');
    expect(faults[0]).not.toContain(SECRET);
  });
});

it('traces are off until a collector is named, and then sampled one in a hundred', () => {
  expect(configOf({}).tracing).toBeNull();
  expect(configOf({ OTEL_TRACES_SAMPLER: 'always_on', OTEL_SERVICE_NAME: 'x' }).tracing).toBeNull();
  expect(configOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/' }).tracing).toEqual({
    serviceName: null,
    url: 'http://c:4318/v1/traces',
    headers: {},
    resource: {},
    sampler: { parentBased: true, ratio: 0.01 },
  });
  expect(configOf({ OTEL_TRACES_EXPORTER: 'otlp' }).tracing?.url).toBe('http://localhost:4318/v1/traces');
});

it.each([{ OTEL_SDK_DISABLED: 'true' }, { OTEL_SDK_DISABLED: 'TRUE' }, { OTEL_TRACES_EXPORTER: 'none' }])(
  '%o turns traces off, whatever else is set, right or wrong',
  (off) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_TRACES_SAMPLER: 'some' };
    expect(configOf({ ...env, ...off }).tracing).toBeNull();
  },
);

it("OpenTelemetry's variables mean what its specification says", () => {
  const { tracing } = configOf({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://ignored:4318',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://c/otlp/traces',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc=, x-tenant = a',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=production',
    OTEL_SERVICE_NAME: 'counting',
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.5',
  });
  expect(tracing).toEqual({
    serviceName: 'counting',
    url: 'https://c/otlp/traces',
    headers: { authorization: 'Basic abc=', 'x-tenant': 'a' },
    resource: { 'deployment.environment.name': 'production' },
    sampler: { parentBased: false, ratio: 0.5 },
  });
});

it('every fault is reported at once', () => {
  const faults = faultsOf({ PORT: 'abc', REDIS_URL: 'x', LOG_LEVEL: 'loud', QUEUE_PREFETCH: '1' });
  expect(new Set(faults.map((fault) => fault.split(':')[0]))).toEqual(
    new Set(['LOG_LEVEL', 'PORT', 'QUEUE_PREFETCH', 'REDIS_URL']),
  );
});

it('what takes no requests needs no sign-in', () => {
  expect(faultsOf({ ...DATABASE, NODE_ENV: 'production' }, false)).toEqual([]);
  expect(faultsOf({ HOST: '0.0.0.0' }, false)).toEqual([]);
});

it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('%s is a loopback address', (host) => {
  expect(configOf({ HOST: host }).host).toBe(host);
});

it('what only looks like one is not', () => {
  expect(faultsOf({ HOST: '127.0.0.999' })).toEqual([expect.stringMatching(/^HOST: is no loopback address/)]);
});

it("the README's table names every variable with its default and meaning", () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const rows = (text: string): string[] =>
    text.split('\n').flatMap((line) => (/^\| `[A-Z_]+` \|/.test(line) ? [squeezed(line)] : []));
  expect(rows(readme)).toEqual(rows(configTable()));
});

function squeezed(line: string): string {
  return line.replaceAll(/\s+/g, ' ').trim();
}
