import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import { ScaledObject, TriggerAuthentication } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import { PodMonitor, PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { Job } from 'kubernetes-models/batch/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Namespace, Service, ServiceAccount } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';
import { messageOf } from '../../../src/runtime/errors.ts';
import { requireProgram } from '../../servers/programs.ts';

export const KUBERNETES = join(import.meta.dirname, '../../../deploy/kubernetes');

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

/** The schema of each kind by its published model. What has none (`postgresql.cnpg.io`, `rabbitmq.com`) is held by assertions. */
const MODELS: Readonly<Record<string, new (object: never) => { validate(): void }>> = {
  'v1/ConfigMap': ConfigMap,
  'v1/Namespace': Namespace,
  'v1/Service': Service,
  'v1/ServiceAccount': ServiceAccount,
  'apps/v1/Deployment': Deployment,
  'autoscaling/v2/HorizontalPodAutoscaler': HorizontalPodAutoscaler,
  'batch/v1/Job': Job,
  'gateway.networking.k8s.io/v1/HTTPRoute': HTTPRoute,
  'keda.sh/v1alpha1/ScaledObject': ScaledObject,
  'keda.sh/v1alpha1/TriggerAuthentication': TriggerAuthentication,
  'monitoring.coreos.com/v1/PodMonitor': PodMonitor,
  'monitoring.coreos.com/v1/PrometheusRule': PrometheusRule,
  'networking.k8s.io/v1/NetworkPolicy': NetworkPolicy,
  'policy/v1/PodDisruptionBudget': PodDisruptionBudget,
};

/** Every folder that can be given to `kubectl apply -k`. */
export function kustomizations(): string[] {
  return readdirSync(KUBERNETES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('kustomization.yaml'))
    .map(dirname)
    .toSorted();
}

/** What `kubectl apply -k` would send. */
export async function build(folder: string): Promise<KubernetesObject[]> {
  const { stdout } = await promisify(execFile)(requireProgram('kubectl'), ['kustomize', join(KUBERNETES, folder)]);
  return parseObjects(stdout, folder);
}

/** @param from for errors. */
export function parseObjects(text: string, from: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw new Error(`${from}: ${document.errors.join('; ')}`);
    return asObject(document.toJS(), from);
  });
}

/** The files as they are written, for what kustomize would hide. */
export function sources(): string[] {
  return readdirSync(KUBERNETES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.yaml'))
    .map((path) => readFileSync(join(KUBERNETES, path), 'utf8'));
}

export function hasModel(object: KubernetesObject): boolean {
  return Object.hasOwn(MODELS, kindOf(object));
}

/** What its schema says against it; null when nothing. */
export function schemaFault(object: KubernetesObject): string | null {
  const Model = MODELS[kindOf(object)];
  if (Model === undefined) return `${kindOf(object)} has no model`;
  try {
    new Model(object as never).validate();
    return null;
  } catch (error) {
    return `${kindOf(object)} ${object.metadata.name}: ${messageOf(error)}`;
  }
}

export function kindOf({ apiVersion, kind }: KubernetesObject): string {
  return `${apiVersion}/${kind}`;
}

function asObject(value: unknown, from: string): KubernetesObject {
  const object = value as KubernetesObject | null;
  if (typeof object?.kind !== 'string' || typeof object.metadata.name !== 'string') {
    throw new Error(`${from}: not an object of Kubernetes: ${JSON.stringify(value)}`);
  }
  return object;
}
