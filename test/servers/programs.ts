import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The real parts that the tests need: the program that shows a part is there, and Debian's package for it. */
export const PARTS = {
  rabbitmq: { program: 'rabbitmq-server', package: 'rabbitmq-server', name: 'RabbitMQ 3.10 or newer' },
  epmd: { program: 'epmd', package: 'rabbitmq-server', name: "Erlang's epmd (comes with RabbitMQ)" },
  redis: { program: 'redis-server', package: 'redis-server', name: 'Redis 6.2 or newer' },
  postgres: { program: 'postgres', package: 'postgresql', name: 'PostgreSQL server 15 or newer' },
  basebackup: { program: 'pg_basebackup', package: 'postgresql', name: 'pg_basebackup (comes with PostgreSQL)' },
  pgbouncer: { program: 'pgbouncer', package: 'pgbouncer', name: 'PgBouncer 1.18 or newer' },
  nginx: { program: 'nginx', package: 'nginx-light', name: 'nginx' },
  openssl: { program: 'openssl', package: 'openssl', name: 'openssl' },
  prometheus: { program: 'prometheus', package: 'prometheus', name: 'Prometheus' },
  promtool: { program: 'promtool', package: 'prometheus', name: "Prometheus' promtool" },
  postgresExporter: {
    program: 'prometheus-postgres-exporter',
    package: 'prometheus-postgres-exporter',
    name: 'the Postgres exporter for Prometheus',
  },
  nodeExporter: {
    program: 'prometheus-node-exporter',
    package: 'prometheus-node-exporter',
    name: 'the node exporter for Prometheus',
  },
  redisExporter: {
    program: 'prometheus-redis-exporter',
    package: 'prometheus-redis-exporter',
    name: 'the Redis exporter for Prometheus',
  },
  nginxExporter: {
    program: 'prometheus-nginx-exporter',
    package: 'prometheus-nginx-exporter',
    name: 'the nginx exporter for Prometheus',
  },
  kubectl: { program: 'kubectl', package: 'kubernetes-client', name: 'kubectl' },
  script: { program: 'script', package: 'bsdutils', name: 'script, of util-linux' },
  curl: { program: 'curl', package: 'curl', name: 'curl' },
  faketime: { program: 'faketime', package: 'faketime', name: 'faketime, with its libfaketime' },
  chromium: { program: 'chromium', package: 'chromium', name: 'Chromium' },
  locust: { program: 'locust', package: 'python3-locust', name: 'Locust 2.12 or newer, with Python 3.11 or newer' },
} as const;

export type Part = keyof typeof PARTS;

const ALSO_CALLED: Partial<Record<Part, readonly string[]>> = {
  redis: ['valkey-server'],
  chromium: ['chromium-browser', 'google-chrome', 'google-chrome-stable'],
};

export type ProgramSearch = {
  env: Record<string, string | undefined>;
  /** Put before every system folder; the tests of this file point it at an empty tree. */
  root: string;
};

const HERE: ProgramSearch = { env: process.env, root: '/' };

/** The program of a part, or `undefined` where it is not installed. `CHROMIUM_PATH` names a browser of one's own. */
export function findProgram(part: Part, { env, root }: ProgramSearch = HERE): string | undefined {
  if (part === 'chromium' && env['CHROMIUM_PATH']) return env['CHROMIUM_PATH'];
  // RabbitMQ's own folder first: Debian's /usr/sbin/rabbitmq-server is a wrapper that changes user, and refuses most.
  const folders = [
    ...(part === 'rabbitmq' ? [join(root, 'usr/lib/rabbitmq/bin')] : []),
    ...postgresFolders(root),
    ...(env['PATH'] ?? '').split(':').filter(Boolean),
    ...SYSTEM_FOLDERS.map((folder) => join(root, folder)),
  ];
  const names = [PARTS[part].program, ...(ALSO_CALLED[part] ?? [])];
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  if (part === 'chromium') candidates.push(join(root, 'Applications/Chromium.app/Contents/MacOS/Chromium'));
  return candidates.find(isExecutable);
}

/** As `findProgram`, for when provisioning is done: its absence is an error. */
export function requireProgram(part: Part): string {
  const program = findProgram(part);
  if (!program) throw new Error(`${PARTS[part].name} is not installed (Debian package: ${PARTS[part].package})`);
  return program;
}

export function missingParts(search: ProgramSearch = HERE): Part[] {
  return parts().filter((part) => findProgram(part, search) === undefined);
}

const SYSTEM_FOLDERS = [
  'usr/local/sbin',
  'usr/local/bin',
  'usr/sbin',
  'usr/bin',
  'sbin',
  'bin',
  'opt/homebrew/sbin',
  'opt/homebrew/bin',
];

/** Debian keeps the server off PATH, a folder per major version. The newest first. */
function postgresFolders(root: string): string[] {
  const base = join(root, 'usr/lib/postgresql');
  try {
    const versions = readdirSync(base).filter((version) => Number(version) >= 15);
    return versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(base, version, 'bin'));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function parts(): Part[] {
  return Object.keys(PARTS).filter(isPart);
}

function isPart(name: string): name is Part {
  return Object.hasOwn(PARTS, name);
}
