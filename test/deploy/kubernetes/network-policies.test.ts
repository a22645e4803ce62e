import { beforeAll, describe, expect, it } from 'vitest';
import { buildManifests, PRODUCTION, type Labels, type Manifests } from './manifests.ts';
import { letsThrough, type Party } from './network-flows.ts';

const NAMESPACE = 'groundswell';
let manifests: Manifests;

beforeAll(async () => {
  manifests = await buildManifests();
});

describe('network policies', () => {
  const pod = (name: string, labels: Labels, namespace = NAMESPACE): Party => ({ name, labels, namespace });
  const ours = (component: string): Labels => ({
    'app.kubernetes.io/name': 'groundswell',
    'app.kubernetes.io/component': component,
  });
  const parties: Party[] = [
    pod('api', ours('api')),
    pod('worker', ours('worker')),
    pod('migrate', ours('migrate')),
    pod('postgres', { 'cnpg.io/cluster': 'groundswell-postgres', 'cnpg.io/podRole': 'instance' }),
    pod('postgres job', { 'cnpg.io/cluster': 'groundswell-postgres', 'cnpg.io/jobRole': 'join' }),
    pod('pooler', {
      'cnpg.io/cluster': 'groundswell-postgres',
      'cnpg.io/podRole': 'pooler',
      'cnpg.io/poolerName': 'groundswell-pooler',
    }),
    pod('rabbitmq', { 'app.kubernetes.io/name': 'groundswell-rabbitmq', 'app.kubernetes.io/component': 'rabbitmq' }),
    pod('redis', { app: 'groundswell-redis' }),
    pod('stranger', { app: 'something-else' }),
    pod('foreign api', ours('api'), 'elsewhere'),
    pod('gateway', { app: 'nginx' }, 'gateway'),
    pod('prometheus', {}, 'monitoring'),
    pod('keda', {}, 'keda'),
    pod('collector', { 'app.kubernetes.io/name': 'opentelemetry-collector' }, 'observability'),
    pod('cnpg', {}, 'cnpg-system'),
    pod('rabbitmq operator', {}, 'rabbitmq-system'),
    pod('dns', { 'k8s-app': 'kube-dns' }, 'kube-system'),
    { name: 'internet', address: '203.0.113.7' },
    { name: 'metadata', address: '169.254.169.254' },
    { name: 'private', address: '10.96.0.1' },
  ];
  const PORTS = [
    22, 53, 80, 443, 4000, 4317, 4318, 4369, 5432, 5672, 6379, 6443, 8000, 9121, 9127, 9187, 9464, 9465, 15672, 15692,
    25672, 35672,
  ];
  const OUR_PODS = ['api', 'worker', 'migrate', 'postgres', 'postgres job', 'pooler', 'rabbitmq', 'redis'];
  const WANTED = [
    'gateway > api 4000',
    'prometheus > api 9464',
    'prometheus > worker 9465',
    'api > pooler 5432',
    'api > postgres 5432',
    'api > rabbitmq 5672',
    'api > redis 6379',
    'api > internet 443',
    'worker > pooler 5432',
    'worker > rabbitmq 5672',
    'worker > redis 6379',
    'migrate > postgres 5432',
    'pooler > postgres 5432',
    'postgres job > postgres 5432',
    'postgres > postgres 5432',
    'postgres > postgres 8000',
    'cnpg > postgres 8000',
    'prometheus > postgres 9187',
    'prometheus > pooler 9127',
    'keda > rabbitmq 15672',
    'rabbitmq operator > rabbitmq 15672',
    'prometheus > rabbitmq 15692',
    'prometheus > redis 9121',
    'rabbitmq > rabbitmq 4369',
    'rabbitmq > rabbitmq 25672',
    'rabbitmq > rabbitmq 35672',
    // Backups and the Kubernetes API.
    ...['postgres', 'postgres job', 'pooler', 'rabbitmq'].flatMap((name) =>
      ['internet', 'metadata', 'private'].flatMap((to) => [`${name} > ${to} 443`, `${name} > ${to} 6443`]),
    ),
    ...[...OUR_PODS, 'stranger'].map((name) => `${name} > dns 53`),
  ];

  function openWays({ ofKind }: Manifests): string[] {
    const policies = ofKind('NetworkPolicy');
    const involved = new Set([...OUR_PODS, 'stranger']);
    const ways = parties.flatMap((from) =>
      parties.flatMap((to) =>
        PORTS.flatMap((port) =>
          (involved.has(from.name) || involved.has(to.name)) && letsThrough(policies, from, to, port)
            ? [`${from.name} > ${to.name} ${port}`]
            : [],
        ),
      ),
    );
    return ways.toSorted();
  }

  it('let through what is needed, and of everything else nothing', () => {
    expect(openWays(manifests)).toEqual(WANTED.toSorted());
  });

  it('let the data parts find each other by name before the application is there', async () => {
    const ways = openWays(await buildManifests(['data']));
    for (const part of ['postgres', 'postgres job', 'pooler', 'rabbitmq']) expect(ways).toContain(`${part} > dns 53`);
  });

  it('with tracing let API and worker to the collector as well, and nobody else anywhere', async () => {
    const traced = await buildManifests(['overlays/traced', ...PRODUCTION.slice(1)]);
    const more = ['api > collector 4318', 'worker > collector 4318'];
    expect(openWays(traced)).toEqual([...WANTED, ...more].toSorted());
  });

  it('would let everything through without the denial', () => {
    const [api, worker] = parties;
    if (api === undefined || worker === undefined) throw new Error('no parties');
    expect(letsThrough([], api, worker, 22)).toBe(true);
  });
});
