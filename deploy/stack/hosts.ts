import type { Addresses } from './addresses.ts';
import type { Hosts } from './settings.ts';

export interface Numbers {
  readonly apis: number;
  readonly workers: number;
  readonly replicas: number;
}

/** An address for each host of deploy/compose.yaml, nginx first. */
export function assignHosts(addresses: Addresses, { apis, workers, replicas }: Numbers): Hosts {
  const several = (count: number) => Array.from({ length: count }, () => addresses.take());
  const one = (name: string) => [name, several(1)] as const;
  const numbers = Array.from({ length: replicas }, (_, index) => index + 1);
  return Object.fromEntries([
    one('nginx'),
    one('prometheus'),
    ['api', several(apis)] as const,
    ['worker', several(workers)] as const,
    ...['pgbouncer', 'postgres-primary'].map(one),
    ...numbers.map((number) => one(`postgres-replica-${number}`)),
    ...['rabbitmq', 'redis', 'nginx-exporter', 'redis-exporter', 'pgbouncer-exporter'].map(one),
    one('postgres-exporter-primary'),
    ...numbers.map((number) => one(`postgres-exporter-replica-${number}`)),
  ]);
}
