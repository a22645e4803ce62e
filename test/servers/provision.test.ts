import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findProgram, missingParts, PARTS, type Part } from './programs.ts';
import { provision, type Machine } from './provision.ts';
import { testDirectory } from './test-run.ts';

function emptyRoot(): string {
  const root = testDirectory('root');
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

function program(root: string, path: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '#!/bin/sh\n');
  chmodSync(file, 0o755);
  return file;
}

function machine(missing: Part[][], more: Partial<Machine> = {}): Machine & { ran: string[] } {
  const ran: string[] = [];
  return {
    ran,
    missing: () => missing.shift() ?? [],
    canInstall: true,
    run: async (command, args) => {
      ran.push([command, ...args].join(' '));
    },
    policyFile: join(emptyRoot(), 'policy-rc.d'),
    ...more,
  };
}

test('on an empty machine every part is missing', () => {
  expect(missingParts({ env: {}, root: emptyRoot() })).toEqual(Object.keys(PARTS));
});

test('programs are found where Debian puts them, with nothing on PATH', () => {
  const root = emptyRoot();
  const placed = {
    rabbitmq: program(root, 'usr/lib/rabbitmq/bin/rabbitmq-server'),
    epmd: program(root, 'usr/bin/epmd'),
    redis: program(root, 'usr/bin/redis-server'),
    postgres: program(root, 'usr/lib/postgresql/15/bin/postgres'),
    basebackup: program(root, 'usr/lib/postgresql/15/bin/pg_basebackup'),
    pgbouncer: program(root, 'usr/sbin/pgbouncer'),
    nginx: program(root, 'usr/sbin/nginx'),
    openssl: program(root, 'usr/bin/openssl'),
    chromium: program(root, 'usr/bin/chromium'),
  };
  for (const part of [
    'rabbitmq',
    'epmd',
    'redis',
    'postgres',
    'basebackup',
    'pgbouncer',
    'nginx',
    'openssl',
    'chromium',
  ] as const)
    expect(findProgram(part, { env: {}, root })).toBe(placed[part]);
});

test('the newest Postgres is taken, and one below the floor is not', () => {
  const root = emptyRoot();
  program(root, 'usr/lib/postgresql/9/bin/postgres');
  program(root, 'usr/lib/postgresql/14/bin/postgres');
  expect(findProgram('postgres', { env: {}, root })).toBeUndefined();
  program(root, 'usr/lib/postgresql/15/bin/postgres');
  const newest = program(root, 'usr/lib/postgresql/18/bin/postgres');
  expect(findProgram('postgres', { env: {}, root })).toBe(newest);
});

test('a machine that has everything is left alone', async () => {
  const complete = machine([[]]);
  await provision(complete);
  expect(complete.ran).toEqual([]);
});

test('missing parts are installed while no service may start, and the switch is taken back', async () => {
  const policyDuringInstall: boolean[] = [];
  const bare = machine([['rabbitmq', 'epmd', 'nginx'], []]);
  await provision({
    ...bare,
    run: async (command, args) => {
      policyDuringInstall.push(existsSync(bare.policyFile));
      await bare.run(command, args);
    },
  });
  expect(bare.ran).toEqual([
    expect.stringMatching(/^apt-get .*update$/),
    expect.stringMatching(/^apt-get .*install -y --no-install-recommends rabbitmq-server nginx-light$/),
  ]);
  expect(policyDuringInstall).toEqual([true, true]);
  expect(existsSync(bare.policyFile)).toBe(false);
});

test('a policy that the machine already has stays as it is', async () => {
  const strict = machine([['redis'], []]);
  writeFileSync(strict.policyFile, '#!/bin/sh\nexit 101\n');
  await provision(strict);
  expect(existsSync(strict.policyFile)).toBe(true);
});

test('where nothing may be installed, the error names each part and the command that installs it', async () => {
  const locked = machine([['redis', 'chromium']], { canInstall: false });
  await expect(provision(locked)).rejects.toThrow(
    /no `redis-server` found[^]*no `chromium` found[^]*apt-get install -y --no-install-recommends redis-server chromium/,
  );
  expect(locked.ran).toEqual([]);
});

test('an installation that leaves a part missing is an error, not a skipped part', async () => {
  const stubborn = machine([['pgbouncer'], ['pgbouncer']]);
  await expect(provision(stubborn)).rejects.toThrow('PgBouncer 1.18 or newer: no `pgbouncer` found');
});
