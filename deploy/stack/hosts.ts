import type { Addresses } from './addresses.ts';
import type { Hosts } from './settings.ts';

export interface Numbers {
  readonly apis: number;
  readonly workers: number;
  readonly replicas: number;
}

/** An address for each host of deploy/compose.yaml; `api` and `worker` stand for all of them. */
export function assignHosts(addresses: Addresses, { apis, workers, replicas }: Numbers): Hosts {
  const several = (count: number) => Array.from({ length: count }, () => addresses.take());
  const one = (name: string) => [name, several(1)] as const;
  const numbers = Array.from({ length: replicas }, (_, index) => index + 1);
  const numbered = (name: string, all: readonly string[]) =>
    all.map((address, index) => [`${name}-${index + 1}`, [address]] as const);
  // The two that people look at first.
  const entrances = [one('nginx'), one('prometheus')];
  const [apiAddresses, workerAddresses] = [several(apis), several(workers)];
  return Object.fromEntries<readonly string[]>([
    ...entrances,
    ['api', apiAddresses] as const,
    ...numbered('api', apiAddresses),
    ['worker', workerAddresses] as const,
    ...numbered('worker', workerAddresses),
    ...['pgbouncer', 'postgres-primary'].map(one),
    ...numbers.map((number) => one(`postgres-replica-${number}`)),
    ...['rabbitmq', 'redis', 'nginx-exporter', 'redis-exporter', 'pgbouncer-exporter', 'node-exporter'].map(one),
    one('postgres-exporter-primary'),
    ...numbers.map((number) => one(`postgres-exporter-replica-${number}`)),
  ]);
}
