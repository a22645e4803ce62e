import { isIPv4 } from 'node:net';
import { parseTracing, type TracingConfig } from './config-tracing.ts';
import { CONFIG_VARIABLES, type ConfigVariableName } from './config-variables.ts';
import { withEnvFile } from './env-file.ts';

export const MAX_QUEUE_PARTITIONS = 64;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const PERSISTED_QUERY_MODES = ['off', 'automatic', 'log', 'enforce'] as const;
const ENVIRONMENTS = ['development', 'production', 'test'] as const;
/** RFC 7518, 3.2: an HS256 key is at least as long as its hash. */
const MIN_SECRET_BYTES = 32;

export type AuthConfig =
  | { readonly kind: 'jwks'; readonly url: string; readonly issuer: string | null; readonly audience: string | null }
  | {
      readonly kind: 'secret';
      readonly secret: string;
      readonly issuer: string | null;
      readonly audience: string | null;
    }
  /** `x-user-id` and `x-user-role` are believed. */
  | { readonly kind: 'development' };

export interface Config {
  readonly production: boolean;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly shutdownTimeoutMs: number;
  readonly shutdownGraceMs: number;
  readonly host: string;
  /** Null: the process's own default. */
  readonly metricsPort: number | null;
  readonly database: {
    /** Null: embedded. */
    readonly url: string | null;
    readonly directUrl: string | null;
    readonly replicaUrls: readonly string[];
    readonly poolSize: number;
    readonly replicaMaxLagMs: number;
    /** Null: where the embedded Postgres may write. */
    readonly dataDir: string | null;
  };
  readonly queue: {
    /** Nodes of one RabbitMQ; empty: the outbox. */
    readonly amqpUrls: readonly string[];
    /** For looking around; nothing depends on it. */
    readonly managementUrl: string | null;
    readonly name: string;
    readonly partitions: number;
    readonly prefetch: number;
    readonly publishDeadlineMs: number;
    readonly maxInFlight: number;
  };
  readonly recordBatch: { readonly maxItems: number; readonly maxWaitMs: number };
  readonly cache: { readonly redisUrl: string | null; readonly ttlMs: number };
  readonly api: {
    readonly port: number;
    readonly concurrency: number;
    readonly maxRequestsInFlight: number;
    readonly maxEventLoopLagMs: number;
    readonly corsOrigins: readonly string[];
    readonly auth: AuthConfig;
    readonly anonymousWrites: boolean;
    readonly persistedQueries: (typeof PERSISTED_QUERY_MODES)[number];
    readonly persistedQueryManifests: readonly string[];
  };
  readonly maxAgeDays: number;
  readonly retentionDays: number;
  /** Null: off. */
  readonly tracing: TracingConfig | null;
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: string[] };

export interface ParseOptions {
  /** Whether this process takes requests: only then do identity and the address it listens on have to fit. */
  readonly servesApi: boolean;
}

/** Every fault at once, each naming its variable; no fault quotes a value, which may be a secret in the wrong place. */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  options: ParseOptions = { servesApi: true },
): ParsedConfig {
  const faults: string[] = [];
  const fault = (name: ConfigVariableName, text: string): void => void faults.push(`${name}: ${text}`);

  function read(name: ConfigVariableName): string | null {
    const text = env[name]?.trim() ?? '';
    if (text !== '') return text;
    const fallback = CONFIG_VARIABLES.find((variable) => variable.name === name)?.default ?? null;
    return fallback === null || fallback.startsWith('(') ? null : fallback;
  }
  function integer<Fallback extends number | null>(
    name: ConfigVariableName,
    min: number,
    max: number,
    invalid: Fallback,
  ) {
    const text = read(name);
    if (text === null) return invalid;
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    fault(name, `must be a whole number from ${min} to ${max}`);
    return invalid;
  }
  function oneOf<const Choice extends string>(
    name: ConfigVariableName,
    choices: readonly [Choice, ...Choice[]],
  ): Choice {
    const text = read(name);
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) fault(name, `must be one of ${choices.join(', ')}`);
    return choice ?? choices[0];
  }
  const list = (name: ConfigVariableName): string[] =>
    (read(name) ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  function checkUrl(name: ConfigVariableName, text: string, schemes: readonly string[]): void {
    const scheme = /^([a-z][a-z0-9+.-]*:)\/\//i.exec(text)?.[1]?.toLowerCase();
    if (scheme === undefined) fault(name, `must be a URL that starts with ${schemes.join('// or ')}//`);
    else if (!schemes.includes(scheme)) fault(name, `unknown scheme ${scheme}// (known: ${schemes.join('//, ')}//)`);
    else if (!URL.canParse(text)) fault(name, 'must be a URL; percent-encode special characters of the password');
    else if (new URL(text).hostname === '' && !new URL(text).searchParams.has('host')) fault(name, 'names no host');
  }
  function url(name: ConfigVariableName, schemes: readonly string[]): string | null {
    const text = read(name);
    if (text !== null) checkUrl(name, text, schemes);
    return text;
  }
  function urls(name: ConfigVariableName, schemes: readonly string[]): string[] {
    const texts = list(name);
    for (const text of texts) checkUrl(name, text, schemes);
    return texts;
  }

  const production = oneOf('NODE_ENV', ENVIRONMENTS) === 'production';
  const host = read('HOST') ?? (production ? '0.0.0.0' : '127.0.0.1');
  const config: Config = {
    production,
    logLevel: oneOf('LOG_LEVEL', LOG_LEVELS),
    shutdownTimeoutMs: integer('SHUTDOWN_TIMEOUT_MS', 100, 3_600_000, 3_600_000),
    shutdownGraceMs: integer('SHUTDOWN_GRACE_MS', 0, 3_600_000, production ? 3_000 : 0),
    host,
    metricsPort: integer('METRICS_PORT', 0, 65_535, null),
    database: {
      url: url('DATABASE_URL', ['postgres:', 'postgresql:']),
      directUrl: url('DATABASE_DIRECT_URL', ['postgres:', 'postgresql:']),
      replicaUrls: urls('DATABASE_REPLICA_URLS', ['postgres:', 'postgresql:']),
      poolSize: integer('DATABASE_POOL_SIZE', 2, 1_000, 2),
      replicaMaxLagMs: integer('DATABASE_REPLICA_MAX_LAG_MS', 1, 3_600_000, 1),
      dataDir: (env['DATA_DIR'] ?? '').trim() === '' ? null : read('DATA_DIR'),
    },
    queue: {
      amqpUrls: urls('AMQP_URL', ['amqp:', 'amqps:']),
      managementUrl: url('AMQP_MANAGEMENT_URL', ['http:', 'https:']),
      name: read('QUEUE_NAME') ?? '',
      partitions: integer('QUEUE_PARTITIONS', 1, MAX_QUEUE_PARTITIONS, 1),
      prefetch: integer('QUEUE_PREFETCH', 1, 65_535, 65_535),
      publishDeadlineMs: integer('QUEUE_PUBLISH_DEADLINE_MS', 10, 60_000, 10),
      maxInFlight: integer('QUEUE_MAX_IN_FLIGHT', 1, 1_000_000, 1),
    },
    recordBatch: {
      maxItems: integer('RECORD_BATCH_MAX_ITEMS', 1, 10_000, 1),
      maxWaitMs: integer('RECORD_BATCH_MAX_WAIT_MS', 0, 60_000, 0),
    },
    cache: { redisUrl: url('REDIS_URL', ['redis:', 'rediss:']), ttlMs: integer('CACHE_TTL_MS', 1, 60_000, 1) },
    api: {
      port: integer('PORT', 0, 65_535, 0),
      concurrency: integer('WEB_CONCURRENCY', 1, 256, 1),
      maxRequestsInFlight: integer('MAX_REQUESTS_IN_FLIGHT', 1, 1_000_000, 1),
      maxEventLoopLagMs: integer('MAX_EVENT_LOOP_LAG_MS', 1, 60_000, 1),
      corsOrigins: corsOrigins(),
      auth: auth(),
      anonymousWrites:
        read('ANONYMOUS_WRITES') === null ? !production : oneOf('ANONYMOUS_WRITES', ['false', 'true']) === 'true',
      persistedQueries: oneOf('PERSISTED_QUERIES', PERSISTED_QUERY_MODES),
      persistedQueryManifests: list('PERSISTED_QUERY_MANIFESTS'),
    },
    maxAgeDays: integer('MAX_AGE_DAYS', 1, 36_500, 1),
    retentionDays: integer('RETENTION_DAYS', 0, 36_500, 0),
    tracing: parseTracing({ read, url, oneOf, fault }),
  };
  checkTogether();
  return faults.length === 0 ? { ok: true, config } : { ok: false, faults };

  function corsOrigins(): string[] {
    const origins = list('CORS_ORIGINS');
    if (origins.some((origin) => origin !== '*' && !(URL.canParse(origin) && new URL(origin).origin === origin))) {
      fault('CORS_ORIGINS', 'must be * or origins such as https://app.example.com, without a path');
    }
    return origins;
  }

  function auth(): AuthConfig {
    const jwksUrl = url('AUTH_JWKS_URL', ['https:', 'http:']);
    const secret = read('AUTH_JWT_SECRET');
    const checks = { issuer: read('AUTH_ISSUER'), audience: read('AUTH_AUDIENCE') };
    if (jwksUrl !== null && secret !== null) fault('AUTH_JWKS_URL', 'contradicts AUTH_JWT_SECRET; set one of the two');
    if (secret?.includes('-----BEGIN')) {
      fault('AUTH_JWT_SECRET', 'holds a PEM key, not a shared secret; publish the key as a JWKS and set AUTH_JWKS_URL');
    } else if (secret !== null && Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
      fault('AUTH_JWT_SECRET', `must have at least ${MIN_SECRET_BYTES} bytes`);
    }
    if (jwksUrl !== null) return { kind: 'jwks', url: jwksUrl, ...checks };
    if (secret !== null) return { kind: 'secret', secret, ...checks };
    for (const name of ['AUTH_ISSUER', 'AUTH_AUDIENCE'] as const) {
      if (read(name) !== null) fault(name, 'has no effect without AUTH_JWKS_URL or AUTH_JWT_SECRET');
    }
    if (options.servesApi && production) {
      fault('AUTH_JWKS_URL', 'set it or AUTH_JWT_SECRET: development identity is not for production');
    } else if (options.servesApi && !isLoopback(host)) {
      fault(
        'HOST',
        'is no loopback address, and anybody could claim to be anybody: set AUTH_JWKS_URL or AUTH_JWT_SECRET',
      );
    }
    return { kind: 'development' };
  }

  function checkTogether(): void {
    const { database, queue, recordBatch, api } = config;
    if (database.url === null) {
      if (production) fault('DATABASE_URL', 'is required in production; the embedded Postgres is for development');
      if (database.directUrl !== null) fault('DATABASE_DIRECT_URL', 'needs DATABASE_URL');
      if (database.replicaUrls.length > 0) fault('DATABASE_REPLICA_URLS', 'needs DATABASE_URL');
    }
    if (queue.prefetch < recordBatch.maxItems) {
      fault('QUEUE_PREFETCH', 'is smaller than RECORD_BATCH_MAX_ITEMS, so a batch could never fill');
    }
    if (config.shutdownGraceMs * 2 >= config.shutdownTimeoutMs) {
      fault('SHUTDOWN_TIMEOUT_MS', 'must be more than twice SHUTDOWN_GRACE_MS');
    }
    if (queue.managementUrl !== null && queue.amqpUrls.length === 0) fault('AMQP_MANAGEMENT_URL', 'needs AMQP_URL');
    // The exchange of several partitions has a longer name.
    if (Buffer.byteLength(queue.name) > 240) fault('QUEUE_NAME', 'has more than 240 bytes');
    if (config.retentionDays !== 0 && config.retentionDays < config.maxAgeDays) {
      fault('RETENTION_DAYS', 'must be 0 or at least MAX_AGE_DAYS, else what is accepted could not be kept');
    }
    if (api.port !== 0 && api.port === config.metricsPort) fault('METRICS_PORT', 'is the same as PORT');
    if (api.persistedQueries === 'enforce' && api.persistedQueryManifests.length === 0) {
      fault('PERSISTED_QUERIES', 'enforce needs PERSISTED_QUERY_MANIFESTS, else nothing could run');
    }
  }
}

/** What the API is started with; a forked process of several listens on the same port. */
export function apiOptions(config: Config) {
  return {
    ...config.api,
    host: config.host,
    production: config.production,
    maxAgeDays: config.maxAgeDays,
    cacheTtlMs: config.cache.ttlMs,
    drainGraceMs: config.shutdownGraceMs,
  };
}

/** What the worker is started with. */
export function workerOptions(config: Config) {
  return {
    batch: config.recordBatch,
    maxAgeDays: config.maxAgeDays,
    retentionDays: config.retentionDays,
    // The rest is for giving back what is left, and for closing.
    drainMs: config.shutdownTimeoutMs / 2,
  };
}

/** As it is now: of ENV_FILE the content of this moment. */
export function readConfig(options: ParseOptions): ParsedConfig {
  const read = withEnvFile(process.env);
  return read.ok ? parseConfig(read.env, options) : { ok: false, faults: [`ENV_FILE: ${read.fault}`] };
}

/** For entry points: the configuration of this process, or one line per fault on stderr and exit 78 (EX_CONFIG). */
export function configOrExit(options: ParseOptions): Config {
  const parsed = readConfig(options);
  if (parsed.ok) return parsed.config;
  for (const fault of parsed.faults) process.stderr.write(`${fault}\n`);
  process.exit(78);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
