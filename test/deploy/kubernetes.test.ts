import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CONFIG_VARIABLES } from '../../src/config-variables.ts';
import { parseConfig } from '../../src/config.ts';
import {
  build,
  hasModel,
  KUBERNETES,
  kindOf,
  kustomizations,
  schemaFault,
  sources,
  type KubernetesObject,
} from './kubernetes-objects.ts';
import { letsThrough, matches, type Party } from './network-flows.ts';

const README = readFileSync(join(KUBERNETES, 'README.md'), 'utf8');
const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);
const NAMESPACE = 'groundswell';
/** Operators' own kinds, for which nobody publishes models. */
const WITHOUT_MODEL = [
  'postgresql.cnpg.io/v1/Cluster',
  'postgresql.cnpg.io/v1/Pooler',
  'rabbitmq.com/v1beta1/RabbitmqCluster',
];
/** Beyond preStop and drain, for the process to end. */
const MARGIN_MS = 5_000;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly securityContext: unknown;
  readonly resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> };
}
interface PodSpec {
  readonly terminationGracePeriodSeconds?: number;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: unknown;
  readonly serviceAccountName?: string;
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: { readonly matchLabels: Labels } }[];
  readonly containers: readonly [Container];
}
interface Workload {
  readonly selector?: { readonly matchLabels: Labels };
  readonly replicas?: number;
  readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
}
type Labels = Readonly<Record<string, string>>;

const built = new Map<string, KubernetesObject[]>();
/** All that production has: application, data, migration, monitoring. */
let production: KubernetesObject[];

beforeAll(async () => {
  for (const folder of kustomizations()) built.set(folder, await build(folder));
  production = ['overlays/production', 'overlays/production/migrate', 'data', 'monitoring'].flatMap(
    (folder) => built.get(folder) ?? [],
  );
});

function ofKind(kind: string, objects = production): KubernetesObject[] {
  return objects.filter((object) => object.kind === kind);
}

function named(kind: string, name: string): KubernetesObject {
  const found = ofKind(kind).find((object) => object.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

function workload(object: KubernetesObject): Workload {
  return object.spec as Workload;
}

function workloads(): [string, Workload][] {
  return [...ofKind('Deployment'), ...ofKind('Job')].map((object) => [object.metadata.name, workload(object)]);
}

/** What the process of a container finds in its environment, with a stand-in for each secret. */
function environment({ env = [], envFrom = [] }: Container): Record<string, string> {
  const maps = envFrom.map(({ configMapRef }) => named('ConfigMap', configMapRef.name).data ?? {});
  const secrets: Record<string, string> = {
    DATABASE_URL: 'postgres://groundswell:x@groundswell-pooler:5432/groundswell',
    DATABASE_DIRECT_URL: 'postgres://groundswell:x@groundswell-postgres-rw:5432/groundswell',
    DATABASE_REPLICA_URLS: 'postgres://groundswell:x@groundswell-postgres-ro:5432/groundswell',
    AMQP_URL: 'amqp://groundswell:x@groundswell-rabbitmq:5672',
    REDIS_URL: 'redis://groundswell-redis:6379',
  };
  const own = env.map(({ name, value, valueFrom }) => [
    name,
    value ?? secrets[valueFrom?.secretKeyRef.key ?? ''] ?? '',
  ]);
  return Object.assign({}, ...maps, Object.fromEntries(own)) as Record<string, string>;
}

it('kubectl builds every folder, and each object is what its published schema asks for', () => {
  expect(kustomizations()).toEqual([
    'base',
    'data',
    'migrate',
    'monitoring',
    'overlays/production',
    'overlays/production/migrate',
  ]);
  for (const objects of built.values()) {
    expect(objects.length).toBeGreaterThan(0);
    expect(objects.filter(hasModel).flatMap((object) => schemaFault(object) ?? [])).toEqual([]);
    expect(objects.filter((object) => !hasModel(object) && !WITHOUT_MODEL.includes(kindOf(object)))).toEqual([]);
  }
});

it('the schemas find what is wrong', () => {
  const deployment = named('Deployment', 'groundswell-api');
  expect(schemaFault({ ...deployment, spec: { ...workload(deployment), replicas: 'three' } })).toContain('replicas');
  const scaler = named('ScaledObject', 'groundswell-worker');
  expect(schemaFault({ ...scaler, spec: { triggers: [] } })).toContain('scaleTargetRef');
});

it('everything is in one namespace, no two objects have one name, and no secret is in the files', () => {
  const names = production.map((object) => `${kindOf(object)} ${object.metadata.name}`);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  for (const object of production) {
    if (object.kind !== 'Namespace') expect(object.metadata.namespace).toBe(NAMESPACE);
  }
  expect(ofKind('Secret')).toEqual([]);
  // No URL with a password.
  for (const text of sources()) expect(text).not.toMatch(/\w+:\/\/[^\s:/@]*:[^\s@]+@/);
});

describe('containers', () => {
  it('run the image of this version, never the latest', () => {
    for (const [name, { template }] of workloads()) {
      expect([name, template.spec.containers[0].image]).toEqual([name, `registry.example.com/groundswell:${version}`]);
    }
    for (const text of sources()) expect(text).not.toMatch(/:latest\b/);
    const images = sources().flatMap((text) =>
      [...text.matchAll(/^ *image(?:Name)?: (.+\/.+)$/gm)].map(([, one]) => one),
    );
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/:\d+\.\d+/);
    expect(ofKind('Job').map(({ metadata }) => metadata.name)).toEqual([
      `groundswell-migrate-${version.replaceAll('.', '-')}`,
    ]);
  });

  it('are configured by variables that there are, and the configuration is accepted', () => {
    const known = CONFIG_VARIABLES.map(({ name }): string => name);
    for (const [name, { template }] of workloads()) {
      const [container] = template.spec.containers;
      const env = environment(container);
      expect([name, Object.keys(env).filter((variable) => !known.includes(variable))]).toEqual([name, []]);
      const parsed = parseConfig(env, { servesApi: container.args.includes('api') });
      expect([name, parsed.ok ? [] : parsed.faults]).toEqual([name, []]);
      expect(parsed).toMatchObject({ ok: true, config: { production: true } });
    }
  });

  it('name keys of the one secret, each of which the README says how to make', () => {
    const keys = production.flatMap((object) => [
      ...JSON.stringify(object).matchAll(/"secretKeyRef":\{"key":"(\w+)","name":"(\w+)"/g),
    ]);
    expect(new Set(keys.map(([, , secret]) => secret))).toEqual(new Set([NAMESPACE]));
    for (const [, key] of keys) expect(README).toContain(`--from-literal=${key}=`);
    expect(README).toContain('--from-literal=KEDA_AMQP_URL=');
  });

  it('are probed on ports that they have and that the process listens on', () => {
    const defaults = new Map<string, string | null>(CONFIG_VARIABLES.map((one) => [one.name, one.default]));
    const listens: Record<string, Record<string, number>> = {
      'groundswell-api': { http: Number(defaults.get('PORT')), metrics: 9464 },
      'groundswell-worker': { metrics: 9465 },
    };
    expect(defaults.get('METRICS_PORT')).toBe('(9464 for the API, 9465 for the worker)');
    for (const deployment of ofKind('Deployment')) {
      const [container] = workload(deployment).template.spec.containers;
      const env = environment(container);
      expect(env).not.toHaveProperty('PORT');
      expect(env).not.toHaveProperty('METRICS_PORT');
      const ports = Object.fromEntries((container.ports ?? []).map((port) => [port.name, port.containerPort]));
      expect(ports).toEqual(listens[deployment.metadata.name]);
      const { startupProbe, readinessProbe, livenessProbe } = container;
      expect(readinessProbe?.httpGet.path).toBe('/health/ready');
      expect([startupProbe?.httpGet.path, livenessProbe?.httpGet.path]).toEqual(['/health/live', '/health/live']);
      const probed = deployment.metadata.name === 'groundswell-api' ? 'http' : 'metrics';
      for (const probe of [startupProbe, readinessProbe, livenessProbe]) expect(probe?.httpGet.port).toBe(probed);
    }
  });

  it('have the time to drain before they are killed, after everybody has stopped sending', () => {
    for (const deployment of ofKind('Deployment')) {
      const { terminationGracePeriodSeconds = 30, containers } = workload(deployment).template.spec;
      const drainMs = Number(environment(containers[0])['SHUTDOWN_TIMEOUT_MS']);
      const preStopMs = (containers[0].lifecycle?.preStop.sleep.seconds ?? 0) * 1_000;
      expect(drainMs).toBeGreaterThan(0);
      expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(preStopMs + drainMs + MARGIN_MS);
      if (deployment.metadata.name === 'groundswell-api') expect(preStopMs).toBeGreaterThanOrEqual(3_000);
    }
  });

  it('run as nobody, with nothing to write to and nothing to ask of Kubernetes', () => {
    for (const [, { template }] of workloads()) {
      const { spec } = template;
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(Object.keys(spec.containers[0].resources.requests).toSorted()).toEqual(['cpu', 'memory']);
      expect(spec.containers[0].resources.limits).toHaveProperty('memory');
      if (spec.serviceAccountName !== undefined) named('ServiceAccount', spec.serviceAccountName);
    }
  });
});

it('selectors, budgets, autoscalers, routes and monitors point at what there is', () => {
  const labelled = (selector: { matchLabels: Labels }): string[] =>
    workloads().flatMap(([name, { template }]) => (matches(selector, template.metadata.labels) ? [name] : []));
  for (const [name, { selector, template, replicas }] of workloads()) {
    if (selector === undefined) continue;
    expect(labelled(selector)).toEqual([name]);
    // Else every apply would undo what the autoscaler did.
    expect(replicas).toBeUndefined();
    expect(template.spec.topologySpreadConstraints).toHaveLength(2);
    for (const { labelSelector } of template.spec.topologySpreadConstraints ?? []) {
      expect(labelled(labelSelector)).toEqual([name]);
    }
  }
  for (const kind of ['PodDisruptionBudget', 'PodMonitor']) {
    for (const { metadata, spec } of ofKind(kind)) {
      const { selector } = spec as { selector: { matchLabels: Labels } };
      expect(labelled(selector)).toEqual([metadata.name]);
    }
    expect(ofKind(kind)).toHaveLength(2);
  }
  const targets = [...ofKind('HorizontalPodAutoscaler'), ...ofKind('ScaledObject')].map(({ spec }) => {
    const { scaleTargetRef } = spec as { scaleTargetRef: { kind: string; name: string } };
    return named(scaleTargetRef.kind, scaleTargetRef.name).metadata.name;
  });
  expect(targets).toEqual(['groundswell-api', 'groundswell-worker']);

  const service = named('Service', 'groundswell-api').spec as {
    selector: Labels;
    ports: { port: number; targetPort: string }[];
  };
  expect(labelled({ matchLabels: service.selector })).toEqual(['groundswell-api']);
  const route = named('HTTPRoute', 'groundswell').spec as {
    rules: { backendRefs: { name: string; port: number }[]; matches: { path: { type: string; value: string } }[] }[];
  };
  expect(route.rules.flatMap(({ backendRefs }) => backendRefs)).toEqual([
    { name: 'groundswell-api', port: service.ports[0]?.port },
  ]);
  expect(route.rules.flatMap(({ matches: paths }) => paths)).toEqual([{ path: { type: 'Exact', value: '/graphql' } }]);
  expect(service.ports.map(({ targetPort }) => targetPort)).toEqual(['http']);
});

it('KEDA watches the queue that the workers drain, with a URL from the secret', () => {
  const { triggers } = named('ScaledObject', 'groundswell-worker').spec as {
    triggers: { type: string; metadata: Record<string, string>; authenticationRef: { name: string } }[];
  };
  const queue = CONFIG_VARIABLES.find(({ name }) => name === 'QUEUE_NAME')?.default;
  expect(triggers).toMatchObject([{ type: 'rabbitmq', metadata: { queueName: queue, mode: 'QueueLength' } }]);
  const [trigger] = triggers;
  const auth = named('TriggerAuthentication', trigger?.authenticationRef.name ?? '').spec;
  expect(auth).toEqual({ secretTargetRef: [{ parameter: 'host', name: NAMESPACE, key: 'KEDA_AMQP_URL' }] });
});

it('Postgres has two replicas and loses no commit, RabbitMQ a majority without one node, the pooler shares by transaction', () => {
  const postgres = named('Cluster', 'groundswell-postgres').spec;
  expect(postgres).toMatchObject({
    instances: 3,
    postgresql: { synchronous: { number: 1, dataDurability: 'required' } },
  });
  const pooler = named('Pooler', 'groundswell-pooler').spec;
  expect(pooler).toMatchObject({
    cluster: { name: named('Cluster', 'groundswell-postgres').metadata.name },
    type: 'rw',
    pgbouncer: { poolMode: 'transaction' },
  });
  expect(named('RabbitmqCluster', 'groundswell-rabbitmq').spec).toMatchObject({ replicas: 3 });

  // All pods at their largest find a place in the pooler, and all that the pooler opens in Postgres, beside reads of replicas.
  const { minReplicas, maxReplicas } = named('HorizontalPodAutoscaler', 'groundswell-api').spec as Record<
    string,
    number
  >;
  const { minReplicaCount, maxReplicaCount } = named('ScaledObject', 'groundswell-worker').spec as Record<
    string,
    number
  >;
  expect(minReplicas).toBeGreaterThanOrEqual(2);
  expect(minReplicaCount).toBeGreaterThanOrEqual(2);
  const env = environment(workload(named('Deployment', 'groundswell-api')).template.spec.containers[0]);
  const clients = ((maxReplicas ?? 0) + (maxReplicaCount ?? 0) + 1) * Number(env['DATABASE_POOL_SIZE']);
  const { instances, pgbouncer } = pooler as { instances: number; pgbouncer: { parameters: Record<string, string> } };
  expect(clients).toBeLessThanOrEqual(Number(pgbouncer.parameters['max_client_conn']) * (instances - 1));
  const { postgresql } = postgres as { postgresql: { parameters: Record<string, string> } };
  const maxConnections = Number(postgresql.parameters['max_connections']);
  expect(instances * Number(pgbouncer.parameters['default_pool_size'])).toBeLessThan(maxConnections);
  const replicas = 2;
  expect(((maxReplicas ?? 0) * Number(env['DATABASE_POOL_SIZE'])) / replicas).toBeLessThan(maxConnections);
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
    pod('cnpg', {}, 'cnpg-system'),
    pod('rabbitmq operator', {}, 'rabbitmq-system'),
    pod('dns', { 'k8s-app': 'kube-dns' }, 'kube-system'),
    { name: 'internet', address: '203.0.113.7' },
    { name: 'metadata', address: '169.254.169.254' },
    { name: 'private', address: '10.96.0.1' },
  ];
  const PORTS = [
    22, 53, 80, 443, 4000, 4369, 5432, 5672, 6379, 6443, 8000, 9127, 9187, 9464, 9465, 15672, 15692, 25672, 35672,
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
    'keda > rabbitmq 5672',
    'rabbitmq operator > rabbitmq 15672',
    'prometheus > rabbitmq 15692',
    'rabbitmq > rabbitmq 4369',
    'rabbitmq > rabbitmq 25672',
    'rabbitmq > rabbitmq 35672',
    // Backups and the Kubernetes API.
    ...['postgres', 'postgres job', 'pooler', 'rabbitmq'].flatMap((name) =>
      ['internet', 'metadata', 'private'].flatMap((to) => [`${name} > ${to} 443`, `${name} > ${to} 6443`]),
    ),
    ...[...OUR_PODS, 'stranger'].map((name) => `${name} > dns 53`),
  ];

  it('let through what is needed, and of everything else nothing', () => {
    const policies = ofKind('NetworkPolicy');
    const involved = new Set([...OUR_PODS, 'stranger']);
    const open = parties.flatMap((from) =>
      parties.flatMap((to) =>
        PORTS.flatMap((port) =>
          (involved.has(from.name) || involved.has(to.name)) && letsThrough(policies, from, to, port)
            ? [`${from.name} > ${to.name} ${port}`]
            : [],
        ),
      ),
    );
    expect(open.toSorted()).toEqual(WANTED.toSorted());
  });

  it('would let everything through without the denial', () => {
    const [api, worker] = parties;
    if (api === undefined || worker === undefined) throw new Error('no parties');
    expect(letsThrough([], api, worker, 22)).toBe(true);
  });
});
