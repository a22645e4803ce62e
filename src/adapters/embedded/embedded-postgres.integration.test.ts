import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts';
import type { Role } from './embedded-lease.ts';
import { findPostmaster } from './embedded-postmaster.ts';

let dataDir: string;
let running: EmbeddedPostgres[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'embedded-'));
  running = [];
});

afterEach(async () => {
  for (const postgres of running) await postgres.stop();
  await until(async () => (await postmaster()) === null);
  await rm(dataDir, { recursive: true });
});

async function start(role: Role): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, role });
  running.push(postgres);
  return postgres;
}

function postmaster(): ReturnType<typeof findPostmaster> {
  return findPostmaster(join(dataDir, 'postgres'));
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function until(condition: () => Promise<boolean>, deadlineMs = 20_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Another process with the embedded Postgres in the same folder, up when this resolves. */
async function startElsewhere(role: Role): Promise<ChildProcess> {
  const module = new URL('./embedded-postgres.ts', import.meta.url).href;
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const postgres = await startEmbeddedPostgres(${JSON.stringify({ dataDir, role })});
    process.on('SIGTERM', () => postgres.stop());
    console.log('up');`;
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('data outlives a stop, with nothing left running and no attach file', { timeout: 60_000 }, async () => {
  const first = await start('server');
  expect(first.attached).toBe(false);
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  expect(await postmaster()).toBeNull();
  await expect(stat(join(dataDir, 'embedded.json'))).rejects.toMatchObject({ code: 'ENOENT' });

  const second = await start('server');
  expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('the attach file names the server and only its owner can read it', { timeout: 60_000 }, async () => {
  const postgres = await start('server');
  const file = join(dataDir, 'embedded.json');
  const pid = (await postmaster())?.pid;
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ url: postgres.url, pid, ownerPid: process.pid });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a second server is refused, a command works beside the first', { timeout: 60_000 }, async () => {
  const server = await start('server');
  await expect(start('server')).rejects.toMatchObject({
    name: 'EmbeddedPostgresError',
    code: 'DATA_DIR_IN_USE',
    message: expect.stringContaining(dataDir),
  });
  const command = await start('command');
  expect(command).toMatchObject({ attached: true, url: server.url });
  await command.stop();
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('whoever leaves last stops the server, whoever started it', { timeout: 60_000 }, async () => {
  const command = await start('command');
  const server = await start('server');
  expect(server.attached).toBe(true);
  await command.stop();
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
  expect(await postmaster()).toBeNull();
});

test('processes that start at once in an empty folder share one server', { timeout: 60_000 }, async () => {
  const all = await Promise.all([start('server'), start('command'), start('command')]);
  expect(new Set(all.map((postgres) => postgres.url)).size).toBe(1);
  expect(all.filter((postgres) => !postgres.attached)).toHaveLength(1);
});

test('the server ends when its only user is killed, and the next start has the data', { timeout: 60_000 }, async () => {
  const child = await startElsewhere('server');
  const { url } = JSON.parse(await readFile(join(dataDir, 'embedded.json'), 'utf8'));
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  child.kill('SIGKILL');
  await until(async () => (await postmaster()) === null);
  expect(await query((await start('server')).url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('a killed server can be started again at once', { timeout: 60_000 }, async () => {
  const child = await startElsewhere('server');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await query((await start('server')).url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a command goes on when the server that started Postgres stops', { timeout: 60_000 }, async () => {
  const child = await startElsewhere('server');
  const command = await start('command');
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  expect(await query(command.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a killed Postgres is recovered by the next start', { timeout: 60_000 }, async () => {
  const first = await start('server');
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const killed = await postmaster();
  if (killed === null) throw new Error('no postmaster');
  process.kill(killed.pid, 'SIGKILL');
  await until(async () => (await postmaster()) === null);
  await first.stop();
  expect(await query((await start('server')).url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});
