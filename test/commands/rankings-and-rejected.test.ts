import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { testDirectory } from '../servers/test-run.ts';
import { commandRoot } from './command-root.ts';
import { commandEnvironment, runCommand, type FinishedCommand } from './run-command.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  expect((await runCommand('migrate', { DATABASE_URL: database.url })).exitCode).toBe(0);
});
afterAll(() => database?.drop());

function run(command: string, ...args: string[]): Promise<FinishedCommand> {
  return runCommand(command, { DATABASE_URL: database.url }, args);
}

it('rankings that are listed can be changed and applied; a faulty file changes nothing', async () => {
  const listed = await run('rankings', 'list');
  expect(listed.exitCode).toBe(0);
  const path = join(testDirectory('rankings'), 'rankings.json');
  await writeFile(path, listed.stdout.replace('"most-viewed"', '"most-seen"'));
  const applied = await run('rankings', 'apply', path);
  expect(applied).toEqual({ exitCode: 0, stdout: 'applied: popular, trending, most-liked, most-seen\n', stderr: '' });

  await writeFile(path, listed.stdout.replace('"people"', '"persons"'));
  const faulty = await run('rankings', 'apply', path);
  expect(faulty.exitCode).toBe(1);
  expect(faulty.stderr).toContain('rankings.json: ranking 1 ("popular"), counts: ');
  expect((await run('rankings', 'list')).stdout).toBe(listed.stdout.replace('"most-viewed"', '"most-seen"'));
});

it('a command whose reader leaves ends well and says nothing', async () => {
  const child = spawn(process.execPath, ['scripts/launch.mjs', 'rankings', 'list'], {
    cwd: commandRoot(),
    env: commandEnvironment({ DATABASE_URL: database.url }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const [stderr, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});

it('rejected interactions are listed, replayed into the queue and discarded, as chosen', async () => {
  await query(
    database.url,
    `INSERT INTO rejected (body_hash, body, reason, detail) VALUES
       ('\\x01', 'one', 'ITEM_NOT_FOUND', 'a'), ('\\x02', 'two', 'INVALID_MESSAGE', E'b\\x1b[2J'), ('\\x03', 'three', 'ID_REUSED', 'c')`,
  );
  const listed = await run('rejected', 'list');
  expect(listed.stdout).toMatch(/ITEM_NOT_FOUND {2}- {2}a\n.*INVALID_MESSAGE {2}- {2}b \[2J\n.*\n3 rejected\n$/);
  const asJson = await run('rejected', 'list', '--json', '--reason', 'ID_REUSED');
  expect(JSON.parse(asJson.stdout)).toMatchObject({ seq: 3, reason: 'ID_REUSED', detail: 'c', body: 'three' });

  expect(await run('rejected', 'discard')).toMatchObject({ exitCode: 64, stdout: '' });
  expect(await run('rejected', 'replay', '--reason', 'ITEM_NOT_FOUND')).toMatchObject({
    stdout: '1 back in the queue\n',
  });
  expect(await query(database.url, "SELECT convert_from(body, 'UTF8') AS body FROM outbox")).toEqual([{ body: 'one' }]);
  expect(await run('rejected', 'discard', '--seq', '2')).toMatchObject({ stdout: '1 discarded\n' });
  expect(await run('rejected', 'discard', '--all')).toMatchObject({ stdout: '1 discarded\n' });
  expect((await run('rejected', 'list')).stdout).toBe('nothing is rejected\n');
});

it.each([
  ['rankings', []],
  ['rankings', ['apply']],
  ['rankings', ['list', '--wrong']],
  ['rejected', ['list', '--reason', 'NONE']],
  ['rejected', ['replay', '--all', '--seq', '1']],
  ['rejected', ['discard', '--seq', 'x']],
])('%s %j is wrong use: exit 64', async (command, args) => {
  expect(await run(command, ...args)).toMatchObject({ exitCode: 64, stderr: expect.stringContaining('npm run ') });
});
