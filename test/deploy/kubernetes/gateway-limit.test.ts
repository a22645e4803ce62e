import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildManifests } from './manifests.ts';
import { KUBERNETES } from './objects.ts';

interface TrafficPolicy {
  readonly metadata: { readonly namespace: string };
  readonly spec: {
    readonly targetRefs: readonly { readonly kind: string; readonly name: string }[];
    readonly circuitBreaker: {
      readonly perEndpoint: { readonly maxConnections: number };
      readonly maxConnections: number;
      readonly maxParallelRequests: number;
    };
  };
}

it('the README bounds what a gateway lets through to a pod as nginx does, and to all pods that there can be', async () => {
  const manifests = await buildManifests();
  const [, block = ''] = /```yaml\n(.*?)```/s.exec(readFileSync(join(KUBERNETES, 'README.md'), 'utf8')) ?? [];
  const { metadata, spec }: TrafficPolicy = parse(block);
  const [target] = spec.targetRefs;
  expect(manifests.named(target?.kind ?? '', target?.name ?? '').metadata.namespace).toBe(metadata.namespace);

  const upstream = readFileSync(join(KUBERNETES, '../nginx/host/upstream.conf'), 'utf8');
  const room = Number(/max_conns=(\d+);/.exec(upstream)?.[1]);
  const { maxReplicas } = manifests.named('HorizontalPodAutoscaler', 'groundswell-api').spec as { maxReplicas: number };
  const { perEndpoint, maxConnections, maxParallelRequests } = spec.circuitBreaker;
  expect([perEndpoint.maxConnections, maxConnections, maxParallelRequests]).toEqual([
    room,
    room * maxReplicas,
    room * maxReplicas,
  ]);
});
