import { build, type KubernetesObject } from './objects.ts';

export type Labels = Readonly<Record<string, string>>;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
}
export interface Container {
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
export interface Workload {
  readonly selector?: { readonly matchLabels: Labels };
  readonly replicas?: number;
  readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
}

/** All that production has: application, data, migration, monitoring. */
export const PRODUCTION = ['overlays/production', 'overlays/production/migrate', 'data', 'monitoring'];

export interface Manifests {
  readonly objects: readonly KubernetesObject[];
  ofKind(kind: string): KubernetesObject[];
  named(kind: string, name: string): KubernetesObject;
  /** Deployments and jobs by name. */
  workloads(): [string, Workload][];
  container(deployment: string): Container;
  /** What the process of a container finds in its environment, with a stand-in for each secret. */
  environment(container: Container): Record<string, string>;
}

/** What `kubectl apply -k` of these folders would send. */
export async function buildManifests(folders: readonly string[] = PRODUCTION): Promise<Manifests> {
  const objects = (await Promise.all(folders.map(build))).flat();
  const ofKind = (kind: string): KubernetesObject[] => objects.filter((object) => object.kind === kind);
  const named = (kind: string, name: string): KubernetesObject => {
    const found = ofKind(kind).find((object) => object.metadata.name === name);
    if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
    return found;
  };
  return {
    objects,
    ofKind,
    named,
    workloads: () =>
      [...ofKind('Deployment'), ...ofKind('Job')].map((object) => [object.metadata.name, workload(object)]),
    container: (deployment) => workload(named('Deployment', deployment)).template.spec.containers[0],
    environment({ env = [], envFrom = [] }) {
      const maps = envFrom.map(({ configMapRef }) => named('ConfigMap', configMapRef.name).data ?? {});
      const own = env.map(({ name, value, valueFrom }) => [
        name,
        value ?? STAND_INS[valueFrom?.secretKeyRef.key ?? ''],
      ]);
      return Object.assign({}, ...maps, Object.fromEntries(own)) as Record<string, string>;
    },
  };
}

export function workload(object: KubernetesObject): Workload {
  return object.spec as Workload;
}

const STAND_INS: Record<string, string> = {
  DATABASE_URL: 'postgres://groundswell:x@groundswell-pooler:5432/groundswell',
  DATABASE_DIRECT_URL: 'postgres://groundswell:x@groundswell-postgres-rw:5432/groundswell',
  DATABASE_REPLICA_URLS: 'postgres://groundswell:x@groundswell-postgres-ro:5432/groundswell',
  AMQP_URL: 'amqp://groundswell:x@groundswell-rabbitmq:5672/groundswell',
  REDIS_URL: 'redis://groundswell-redis:6379',
};
