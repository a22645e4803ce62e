import { beforeAll, expect, it } from 'vitest';
import { buildManifests, workload, type Manifests } from './manifests.ts';
import { build, hasModel, kindOf, kustomizations, schemaFault, sources } from './objects.ts';

const NAMESPACE = 'groundswell';
/** Operators' own kinds, for which nobody publishes models. */
const WITHOUT_MODEL = [
  'postgresql.cnpg.io/v1/Cluster',
  'postgresql.cnpg.io/v1/Pooler',
  'rabbitmq.com/v1beta1/RabbitmqCluster',
];
let manifests: Manifests;

beforeAll(async () => {
  manifests = await buildManifests();
});

it('kubectl builds every folder, and each object is what its published schema asks for', async () => {
  expect(kustomizations()).toEqual([
    'base',
    'data',
    'migrate',
    'monitoring',
    'overlays/production',
    'overlays/production/migrate',
    'overlays/traced',
  ]);
  for (const folder of kustomizations()) {
    const objects = await build(folder);
    expect(objects.length).toBeGreaterThan(0);
    expect(objects.filter(hasModel).flatMap((object) => schemaFault(object) ?? [])).toEqual([]);
    expect(objects.filter((object) => !hasModel(object) && !WITHOUT_MODEL.includes(kindOf(object)))).toEqual([]);
  }
});

it('the schemas find what is wrong', () => {
  const deployment = manifests.named('Deployment', 'groundswell-api');
  expect(schemaFault({ ...deployment, spec: { ...workload(deployment), replicas: 'three' } })).toContain('replicas');
  const scaler = manifests.named('ScaledObject', 'groundswell-worker');
  expect(schemaFault({ ...scaler, spec: { triggers: [] } })).toContain('scaleTargetRef');
});

it('everything is in one namespace, no two objects have one name, and no secret is in the files', () => {
  const names = manifests.objects.map((object) => `${kindOf(object)} ${object.metadata.name}`);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  for (const object of manifests.objects) {
    if (object.kind !== 'Namespace') expect(object.metadata.namespace).toBe(NAMESPACE);
  }
  expect(manifests.ofKind('Secret')).toEqual([]);
  // No URL with a password.
  for (const text of sources()) expect(text).not.toMatch(/\w+:\/\/[^\s:/@]*:[^\s@]+@/);
});
