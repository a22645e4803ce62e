import { join } from 'node:path';
import { requireProgram, type Part } from '../../test/servers/programs.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { isOk, startMember, type Placement, type StartedMember } from './member.ts';
import { copySettings } from './settings.ts';
import { NGINX_STATUS_PORT } from './start-nginx.ts';

export const PROMETHEUS_PORT = 9090;

export function startPrometheus({ name, address, hosts }: Placement): Promise<StartedMember> {
  const directory = testDirectory(name);
  copySettings('prometheus', directory, hosts);
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

/** RabbitMQ brings its own, as a plugin. */
export function startExporters(place: (name: string) => Placement, replicas: number): Promise<StartedMember>[] {
  const servers = ['primary', ...Array.from({ length: replicas }, (_, index) => `replica-${index + 1}`)];
  return [
    ...servers.map((server) =>
      startExporter(place(`postgres-exporter-${server}`), 'postgresExporter', {
        port: 9187,
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
  ];
}

interface Exporter {
  readonly port: number;
  readonly env: (placement: Placement) => Record<string, string>;
}

function startExporter(placement: Placement, part: Part, { port, env }: Exporter): Promise<StartedMember> {
  const { name, address } = placement;
  return startMember({
    name,
    address,
    directory: testDirectory(name),
    command: requireProgram(part),
    // Go's own flags take two dashes as one.
    arguments: [`--web.listen-address=${address}:${port}`],
    env: env(placement),
    isReady: () => isOk(`http://${address}:${port}/metrics`),
  });
}
