/** Every variable there is, in the order of the README's table. A default in parentheses is chosen from others. */
export const CONFIG_VARIABLES = [
  variable(
    'NODE_ENV',
    'development',
    '`production`, `development` or `test`. Production needs `DATABASE_URL` and real sign-in',
  ),
  variable(
    'ENV_FILE',
    null,
    'A file of `NAME=value` lines with any of the others but `NODE_ENV` and `NODE_EXTRA_CA_CERTS`; what the environment sets counts first. Read again by `SIGHUP`',
  ),
  variable(
    'NODE_EXTRA_CA_CERTS',
    null,
    "A file (PEM) of authorities that servers' certificates may be of, besides the well-known ones. Read by Node, when a process starts",
  ),
  variable(
    'DATABASE_URL',
    null,
    'Postgres, also through PgBouncer in transaction mode. Not set: embedded Postgres under `DATA_DIR`',
  ),
  variable('DATABASE_DIRECT_URL', null, 'Migrations go here, past PgBouncer. Not set: they use `DATABASE_URL`'),
  variable('DATABASE_REPLICA_URLS', null, 'Read replicas, comma-separated. Not set: reads go to the primary'),
  variable('DATABASE_POOL_SIZE', '10', 'Connections per process, to the primary and to each replica'),
  variable('DATABASE_REPLICA_MAX_LAG_MS', '1000', 'A replica further behind answers no reads'),
  variable('DATA_DIR', '.groundswell', 'Data of the embedded Postgres. As root: `/var/lib/groundswell`'),
  variable('AMQP_URL', null, 'RabbitMQ, comma-separated nodes. Not set: the outbox table in Postgres is the queue'),
  variable(
    'AMQP_MANAGEMENT_URL',
    null,
    "RabbitMQ's management API with user and password, for `doctor` and `top` alone",
  ),
  variable('QUEUE_NAME', 'groundswell.interactions', 'The quorum queue'),
  variable(
    'QUEUE_PARTITIONS',
    '1',
    'Quorum queues that items are spread over, each consumed by one worker at a time; at most 64',
  ),
  variable('QUEUE_PREFETCH', '8000', 'Interactions a worker holds at a time; at least `RECORD_BATCH_MAX_ITEMS`'),
  variable(
    'QUEUE_PUBLISH_DEADLINE_MS',
    '500',
    'Without a confirm by then, the outbox takes the interaction; it has 0.8 of that, at least 400 ms',
  ),
  variable(
    'QUEUE_MAX_IN_FLIGHT',
    '5000',
    'Interactions published and not confirmed yet, per process; more wait for room, until that deadline',
  ),
  variable('RECORD_BATCH_MAX_ITEMS', '2500', 'Interactions per transaction of the worker'),
  variable('RECORD_BATCH_MAX_WAIT_MS', '100', 'A batch waits this long to fill'),
  variable('REDIS_URL', null, 'Keyv over Redis, shared by all processes. Not set: Keyv in memory, per process'),
  variable(
    'CACHE_TTL_MS',
    '500',
    'Answers are fresh this long, then stale for at most 500 ms more while one is loaded',
  ),
  variable('PORT', '4000', 'The API'),
  variable(
    'HOST',
    '(`127.0.0.1`, in production `0.0.0.0`)',
    'The address that the API, the metrics and the worker listen on',
  ),
  variable('METRICS_PORT', '(9464 for the API, 9465 for the worker)', '`/metrics` and `/health/*`, of API and worker'),
  variable('WEB_CONCURRENCY', '1', 'API processes behind one port; with 2 or more `SIGHUP` replaces them one by one'),
  variable(
    'MAX_REQUESTS_IN_FLIGHT',
    '1000',
    'Requests at work per process at most, fewer while they are slow; more are answered with 503 and `Retry-After`',
  ),
  variable('MAX_EVENT_LOOP_LAG_MS', '100', 'While the event loop is later than this, requests are let in by a share'),
  variable('CORS_ORIGINS', null, 'Origins whose pages may call the API, comma-separated, or `*`. Not set: none'),
  variable('AUTH_JWKS_URL', null, 'Keys that JWTs are verified with'),
  variable(
    'AUTH_JWT_SECRET',
    null,
    'Shared secret (HS256, 32 bytes or more), in place of `AUTH_JWKS_URL`. Neither: development identity',
  ),
  variable('AUTH_ISSUER', null, 'Required `iss` of a JWT. Not set: not checked'),
  variable('AUTH_AUDIENCE', null, 'Required `aud` of a JWT. Not set: not checked'),
  variable(
    'ANONYMOUS_WRITES',
    '(`true`, in production `false`)',
    'A device that names itself with `x-device-id` may record without signing in',
  ),
  variable('PERSISTED_QUERIES', 'automatic', '`off`, `automatic` (APQ), `log` or `enforce` (safelist)'),
  variable('PERSISTED_QUERY_MANIFESTS', null, 'Manifest files or globs, comma-separated; reloaded when they change'),
  variable('MAX_AGE_DAYS', '30', 'How old an interaction the API takes'),
  variable('RETENTION_DAYS', '0', 'Raw interactions are dropped after this; 0 keeps them. At least `MAX_AGE_DAYS`'),
  variable('LOG_LEVEL', 'info', '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`'),
  variable(
    'SHUTDOWN_GRACE_MS',
    '(0, in production 3000)',
    'So long a draining API still takes connections, not ready, until proxies have noticed',
  ),
  variable(
    'SHUTDOWN_TIMEOUT_MS',
    '20000',
    'A drain that takes longer ends with exit 1; over twice `SHUTDOWN_GRACE_MS`',
  ),
  variable(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    null,
    'OpenTelemetry collector (OTLP over HTTP, such as `http://collector:4318`): turns traces on. See [tracing](docs/tracing.md)',
  ),
  variable(
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    null,
    'The same, with its path. Not set: `/v1/traces` at the collector',
  ),
  variable(
    'OTEL_EXPORTER_OTLP_HEADERS',
    null,
    'Headers for the collector: `name=value`, comma-separated, percent-encoded',
  ),
  variable('OTEL_TRACES_EXPORTER', null, '`otlp` or `none`. Not set: `otlp` if an endpoint is set'),
  variable('OTEL_SERVICE_NAME', '(`groundswell-api`, `groundswell-worker`)', 'The name in traces'),
  variable('OTEL_RESOURCE_ATTRIBUTES', null, 'More about the process: `name=value`, comma-separated, percent-encoded'),
  variable(
    'OTEL_TRACES_SAMPLER',
    'parentbased_traceidratio',
    '`traceidratio`, `always_on`, `always_off`, each also with `parentbased_`',
  ),
  variable('OTEL_TRACES_SAMPLER_ARG', '0.01', 'The share of traces that is recorded, 0 to 1'),
  variable('OTEL_SDK_DISABLED', 'false', '`true`: no traces, whatever else is set'),
] as const;

export interface ConfigVariable<Name extends string = string> {
  readonly name: Name;
  /** As it would be set; null when there is none. */
  readonly default: string | null;
  readonly meaning: string;
}

export type ConfigVariableName = (typeof CONFIG_VARIABLES)[number]['name'];

/** The README's table. `node --import tsx -e "import('./src/config-variables.ts').then((m) => console.log(m.configTable()))"` */
export function configTable(): string {
  const rows = CONFIG_VARIABLES.map(
    ({ name, default: value, meaning }) => `| \`${name}\` | ${shown(value)} | ${meaning} |`,
  );
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

function shown(value: string | null): string {
  if (value === null) return 'not set';
  return value.startsWith('(') ? value.slice(1, -1) : `\`${value}\``;
}

function variable<Name extends string>(name: Name, value: string | null, meaning: string): ConfigVariable<Name> {
  return { name, default: value, meaning };
}
