import { beforeAll, expect, it } from 'vitest';
import { buildManifests, type Manifests } from './manifests.ts';

let manifests: Manifests;

beforeAll(async () => {
  manifests = await buildManifests();
});

it('Postgres has two replicas and loses no commit, RabbitMQ a majority without one node, the pooler shares by transaction', () => {
  const postgres = manifests.named('Cluster', 'groundswell-postgres').spec;
  expect(postgres).toMatchObject({
    instances: 3,
    postgresql: { synchronous: { number: 1, dataDurability: 'required' } },
  });
  const pooler = manifests.named('Pooler', 'groundswell-pooler').spec;
  expect(pooler).toMatchObject({
    cluster: { name: manifests.named('Cluster', 'groundswell-postgres').metadata.name },
    type: 'rw',
    pgbouncer: { poolMode: 'transaction' },
  });
  expect(manifests.named('RabbitmqCluster', 'groundswell-rabbitmq').spec).toMatchObject({ replicas: 3 });

  // All pods at their largest find a place in the pooler, and all that the pooler opens in Postgres, beside reads of replicas.
  const { minReplicas, maxReplicas } = manifests.named('HorizontalPodAutoscaler', 'groundswell-api').spec as Record<
    string,
    number
  >;
  const { minReplicaCount, maxReplicaCount } = manifests.named('ScaledObject', 'groundswell-worker').spec as Record<
    string,
    number
  >;
  expect(minReplicas).toBeGreaterThanOrEqual(2);
  expect(minReplicaCount).toBeGreaterThanOrEqual(2);
  const env = manifests.environment(manifests.container('groundswell-api'));
  const clients = ((maxReplicas ?? 0) + (maxReplicaCount ?? 0) + 1) * Number(env['DATABASE_POOL_SIZE']);
  const { instances, pgbouncer } = pooler as { instances: number; pgbouncer: { parameters: Record<string, string> } };
  expect(clients).toBeLessThanOrEqual(Number(pgbouncer.parameters['max_client_conn']) * (instances - 1));
  const { postgresql } = postgres as { postgresql: { parameters: Record<string, string> } };
  const maxConnections = Number(postgresql.parameters['max_connections']);
  const users = ['api', 'worker'].length;
  expect(users * instances * Number(pgbouncer.parameters['default_pool_size'])).toBeLessThan(maxConnections);
  // Also with one replica of the two away.
  expect((maxReplicas ?? 0) * Number(env['DATABASE_POOL_SIZE'])).toBeLessThan(maxConnections);
});
