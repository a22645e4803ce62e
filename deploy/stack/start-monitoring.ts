import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram, type Part } from '../../test/servers/programs.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { isOk, startMember, type Placement, type StartedMember } from './member.ts';
import { copySettings } from './settings.ts';
import { NGINX_STATUS_PORT } from './start-nginx.ts';
import { consoleUrl } from './start-pgbouncer.ts';
import { API_METRICS_PORT, WORKER_METRICS_PORT } from './start-process.ts';

export const PROMETHEUS_PORT = 9090;
const POSTGRES_EXPORTER_PORT = 9187;
const PGBOUNCER_EXPORTER_PORT = 9127;
const NODE_EXPORTER_PORT = 9100;

export function startPrometheus(
  { name, address, hosts }: Placement,
  adjust: (directory: string) => void = () => undefined,
): Promise<StartedMember> {
  const directory = testDirectory(name);
  copySettings('prometheus', directory, hosts);
  // Of these there may be more or fewer than in compose.yaml.
  const at = (host: string, port: number) => (hosts[host] ?? []).map((member) => `${member}:${port}`);
  const exporters = Object.keys(hosts).filter((host) => host.startsWith('postgres-exporter-'));
  writeTargets(directory, 'groundswell-api', at('api', API_METRICS_PORT));
  writeTargets(directory, 'groundswell-worker', at('worker', WORKER_METRICS_PORT));
  writeTargets(directory, 'postgres', [
    ...exporters.flatMap((host) => at(host, POSTGRES_EXPORTER_PORT)),
    ...at('node-exporter', NODE_EXPORTER_PORT),
  ]);
  adjust(directory);
  return startMember({
    name,
    address,
    directory,
    command: requireProgram('prometheus'),
    arguments: [
      '--config.file=prometheus.yml',
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${address}:${PROMETHEUS_PORT}`,
    ],
    isReady: () => isOk(`http://${address}:${PROMETHEUS_PORT}/-/ready`),
    stopSignal: 'SIGTERM',
  });
}

function writeTargets(directory: string, job: string, targets: readonly string[]): void {
  writeFileSync(join(directory, 'targets', `${job}.yml`), JSON.stringify([{ targets }]));
}

/** RabbitMQ brings its own, as a plugin. */
export function startExporters(place: (name: string) => Placement, replicas: number): Promise<StartedMember>[] {
  const servers = ['primary', ...Array.from({ length: replicas }, (_, index) => `replica-${index + 1}`)];
  return [
    ...servers.map((server) =>
      startExporter(place(`postgres-exporter-${server}`), 'postgresExporter', {
        port: POSTGRES_EXPORTER_PORT,
        env: ({ secrets }) => ({
          DATA_SOURCE_URI: `${place(`postgres-${server}`).address}:5432/groundswell?sslmode=disable`,
          DATA_SOURCE_USER: 'monitor',
          DATA_SOURCE_PASS: secrets.MONITOR_PASSWORD,
        }),
      }),
    ),
    startExporter(place('redis-exporter'), 'redisExporter', {
      port: 9121,
      env: ({ secrets }) => ({
        REDIS_ADDR: `redis://${place('redis').address}:6379`,
        REDIS_USER: 'monitor',
        REDIS_PASSWORD: secrets.MONITOR_PASSWORD,
      }),
    }),
    startExporter(place('nginx-exporter'), 'nginxExporter', {
      port: 9113,
      env: () => ({ SCRAPE_URI: `http://${place('nginx').address}:${NGINX_STATUS_PORT}/stub_status` }),
    }),
    startExporter(place('node-exporter'), 'nodeExporter', {
      port: NODE_EXPORTER_PORT,
      arguments: ['--collector.disable-defaults', '--collector.filesystem'],
      env: () => ({}),
    }),
    startPgbouncerExporter(place('pgbouncer-exporter'), consoleUrl(place('pgbouncer'))),
  ];
}

interface Exporter {
  readonly port: number;
  readonly arguments?: readonly string[];
  readonly env: (placement: Placement) => Record<string, string>;
}

function startExporter(placement: Placement, part: Part, exporter: Exporter): Promise<StartedMember> {
  const { port, env, arguments: more = [] } = exporter;
  const { name, address } = placement;
  return startMember({
    name,
    address,
    directory: testDirectory(name),
    command: requireProgram(part),
    // Go's own flags take two dashes as one.
    arguments: [`--web.listen-address=${address}:${port}`, ...more],
    env: env(placement),
    isReady: () => isOk(`http://${address}:${port}/metrics`),
  });
}

function startPgbouncerExporter({ name, address }: Placement, url: string): Promise<StartedMember> {
  return startMember({
    name,
    address,
    directory: testDirectory(name),
    command: process.execPath,
    arguments: ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'pgbouncer-exporter.ts')],
    env: { CONSOLE_URL: url, ADDRESS: address, PORT: String(PGBOUNCER_EXPORTER_PORT) },
    isReady: () => isOk(`http://${address}:${PGBOUNCER_EXPORTER_PORT}/metrics`),
  });
}
