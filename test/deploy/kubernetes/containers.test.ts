import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { CONFIG_VARIABLES } from '../../../src/config-variables.ts';
import { parseConfig } from '../../../src/config.ts';
import { buildManifests, workload, type Manifests } from './manifests.ts';
import { sources } from './objects.ts';

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
);
/** Beyond preStop and drain, for the process to end. */
const MARGIN_MS = 5_000;
let manifests: Manifests;

beforeAll(async () => {
  manifests = await buildManifests();
});

describe('containers', () => {
  it('run the image of this version, never the latest', () => {
    for (const [name, { template }] of manifests.workloads()) {
      expect([name, template.spec.containers[0].image]).toEqual([name, `registry.example.com/groundswell:${version}`]);
    }
    for (const text of sources()) expect(text).not.toMatch(/:latest\b/);
    const images = sources().flatMap((text) =>
      [...text.matchAll(/^ *image(?:Name)?: (.+\/.+)$/gm)].map(([, one]) => one),
    );
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/:\d+\.\d+/);
    expect(manifests.ofKind('Job').map(({ metadata }) => metadata.name)).toEqual([
      `groundswell-migrate-${version.replaceAll('.', '-')}`,
    ]);
  });

  it('are configured by variables that there are, and the configuration is accepted', () => {
    const known = CONFIG_VARIABLES.map(({ name }): string => name);
    for (const [name, { template }] of manifests.workloads()) {
      const [container] = template.spec.containers;
      const env = manifests.environment(container);
      expect([name, Object.keys(env).filter((variable) => !known.includes(variable))]).toEqual([name, []]);
      const parsed = parseConfig(env, { servesApi: container.args.includes('api') });
      expect([name, parsed.ok ? [] : parsed.faults]).toEqual([name, []]);
      expect(parsed).toMatchObject({ ok: true, config: { production: true } });
    }
  });

  it('send traces to the collector in the overlay that says so, and otherwise none', async () => {
    const traced = await buildManifests(['overlays/traced']);
    for (const name of ['groundswell-api', 'groundswell-worker']) {
      for (const [given, url] of [
        [traced, 'http://otel-collector.observability:4318/v1/traces'],
        [manifests, undefined],
      ] as const) {
        const parsed = parseConfig(given.environment(given.container(name)), { servesApi: name.endsWith('api') });
        expect(parsed).toMatchObject({ ok: true });
        expect(parsed.ok ? parsed.config.tracing?.url : null).toBe(url);
      }
    }
    const names = (of: Manifests): string[] => of.objects.map((object) => `${object.kind} ${object.metadata.name}`);
    const without = await buildManifests(['overlays/production']);
    const added = names(traced).filter((name) => !names(without).includes(name));
    // A changed ConfigMap has another name, which rolls the pods.
    expect(added).toEqual([expect.stringMatching(/^ConfigMap groundswell-\w+$/), 'NetworkPolicy groundswell-traces']);
  });

  it('are probed on ports that they have and that the process listens on', () => {
    const defaults = new Map<string, string | null>(CONFIG_VARIABLES.map((one) => [one.name, one.default]));
    const listens: Record<string, Record<string, number>> = {
      'groundswell-api': { http: Number(defaults.get('PORT')), metrics: 9464 },
      'groundswell-worker': { metrics: 9465 },
    };
    expect(defaults.get('METRICS_PORT')).toBe('(9464 for the API, 9465 for the worker)');
    for (const deployment of manifests.ofKind('Deployment')) {
      const [container] = workload(deployment).template.spec.containers;
      const env = manifests.environment(container);
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
    for (const deployment of manifests.ofKind('Deployment')) {
      const { terminationGracePeriodSeconds = 30, containers } = workload(deployment).template.spec;
      const drainMs = Number(manifests.environment(containers[0])['SHUTDOWN_TIMEOUT_MS']);
      const preStopMs = (containers[0].lifecycle?.preStop.sleep.seconds ?? 0) * 1_000;
      expect(drainMs).toBeGreaterThan(0);
      expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(preStopMs + drainMs + MARGIN_MS);
      if (deployment.metadata.name === 'groundswell-api') expect(preStopMs).toBeGreaterThanOrEqual(3_000);
    }
  });

  it('run as nobody, with nothing to write to and nothing to ask of Kubernetes', () => {
    for (const [, { template }] of manifests.workloads()) {
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
      if (spec.serviceAccountName !== undefined) manifests.named('ServiceAccount', spec.serviceAccountName);
    }
  });
});
