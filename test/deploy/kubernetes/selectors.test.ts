import { beforeAll, expect, it } from 'vitest';
import { buildManifests, type Labels, type Manifests } from './manifests.ts';
import { matches } from './network-flows.ts';

let manifests: Manifests;

beforeAll(async () => {
  manifests = await buildManifests();
});

it('selectors, budgets, autoscalers, routes and monitors point at what there is', () => {
  const labelled = (selector: { matchLabels: Labels }): string[] =>
    manifests
      .workloads()
      .flatMap(([name, { template }]) => (matches(selector, template.metadata.labels) ? [name] : []));
  for (const [name, { selector, template, replicas }] of manifests.workloads()) {
    if (selector === undefined) continue;
    expect(labelled(selector)).toEqual([name]);
    // Else every apply would undo what the autoscaler did.
    expect(replicas).toBeUndefined();
    expect(template.spec.topologySpreadConstraints).toHaveLength(2);
    for (const { labelSelector } of template.spec.topologySpreadConstraints ?? []) {
      expect(labelled(labelSelector)).toEqual([name]);
    }
  }
  // Their operators make the pods, and give them these labels.
  const operated = ({ matchLabels }: { matchLabels: Labels }): string[] =>
    Object.entries({ 'cnpg.io/poolerName': 'Pooler', 'app.kubernetes.io/name': 'RabbitmqCluster' }).flatMap(
      ([label, kind]) =>
        manifests.ofKind(kind).flatMap(({ metadata }) => (metadata.name === matchLabels[label] ? [metadata.name] : [])),
    );
  for (const [kind, count] of Object.entries({ PodDisruptionBudget: 4, PodMonitor: 2 })) {
    for (const { metadata, spec } of manifests.ofKind(kind)) {
      const { selector } = spec as { selector: { matchLabels: Labels } };
      expect([...labelled(selector), ...operated(selector)]).toEqual([metadata.name]);
    }
    expect(manifests.ofKind(kind)).toHaveLength(count);
  }
  const targets = [...manifests.ofKind('HorizontalPodAutoscaler'), ...manifests.ofKind('ScaledObject')].map(
    ({ spec }) => {
      const { scaleTargetRef } = spec as { scaleTargetRef: { kind: string; name: string } };
      return manifests.named(scaleTargetRef.kind, scaleTargetRef.name).metadata.name;
    },
  );
  expect(targets).toEqual(['groundswell-api', 'groundswell-worker']);

  const service = manifests.named('Service', 'groundswell-api').spec as {
    selector: Labels;
    ports: { port: number; targetPort: string }[];
  };
  expect(labelled({ matchLabels: service.selector })).toEqual(['groundswell-api']);
  const route = manifests.named('HTTPRoute', 'groundswell').spec as {
    rules: { backendRefs: { name: string; port: number }[]; matches: { path: { type: string; value: string } }[] }[];
  };
  expect(route.rules.flatMap(({ backendRefs }) => backendRefs)).toEqual([
    { name: 'groundswell-api', port: service.ports[0]?.port },
  ]);
  expect(route.rules.flatMap(({ matches: paths }) => paths)).toEqual([{ path: { type: 'Exact', value: '/graphql' } }]);
  expect(service.ports.map(({ targetPort }) => targetPort)).toEqual(['http']);
});
