import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';
import { SOURCES } from './command-root.ts';
import { runCommand, type FinishedCommand } from './run-command.ts';

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  expect((await runCommand('migrate', { DATABASE_URL: database.url })).exitCode).toBe(0);
  folder = testDirectory('import');
});
afterAll(() => database?.drop());

async function importFile(content: string, ...args: string[]): Promise<FinishedCommand> {
  const path = join(folder, 'rows.csv');
  await writeFile(path, content);
  return runCommand('import', { DATABASE_URL: database.url }, ['--interactions', path, ...args]);
}

it('bad rows are named by line, the others imported, and the exit is 1', async () => {
  const outcome = await importFile(
    'itemId,userId,type,occurredAt\ngood,ann,VIEW,2006-04-07 17:08\ngood,ann,VIEW,never\nbad,ann\n',
    '--create-items',
  );
  expect(outcome.exitCode, outcome.stderr).toBe(1);
  expect(outcome.stderr).toContain('rows.csv:3: occurredAt "never" is no time\n');
  expect(outcome.stderr).toContain('rows.csv:4: has 2 fields, the header has 4\n');
  expect(outcome.stdout).toMatch(/rows\.csv: 3 rows \(.*\): 1 stored, 2 bad\n/);
  expect(await query(database.url, "SELECT id FROM items WHERE id IN ('good', 'bad')")).toEqual([{ id: 'good' }]);
});

it('--bad-rows names them all, where the terminal shows the first 20', async () => {
  const path = join(folder, 'bad.txt');
  await writeFile(path, 'of an earlier import');
  const rows = Array.from({ length: 25 }, (_, n) => `good,ann,VIEW,never ${n}\n`).join('');
  const file = `itemId,userId,type,occurredAt\n${rows}`;
  const outcome = await importFile(file, '--create-items', '--bad-rows', path);
  expect(outcome.exitCode).toBe(1);
  expect(outcome.stderr.match(/is no time/g)).toHaveLength(20);
  expect(outcome.stderr).toContain(`more bad rows are counted but not shown: all are in ${path}\n`);
  const named = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(named).toEqual(
    Array.from({ length: 25 }, (_, n) =>
      expect.stringMatching(`rows.csv:${n + 2}: occurredAt "never ${n}" is no time$`),
    ),
  );
  const without = await importFile(file, '--create-items');
  expect(without.stderr).toContain('not shown: with --bad-rows FILE all are named there\n');
  const nowhere = await importFile(file, '--create-items', '--bad-rows', join(folder, 'none', 'bad.txt'));
  expect(nowhere).toMatchObject({ exitCode: 1, stdout: '' });
  expect(nowhere.stderr).toMatch(/^.*bad\.txt cannot be written: .*\n$/);
});

it('an unknown item is a bad row and nothing is kept of it', async () => {
  const outcome = await importFile('itemId,userId,type,occurredAt\nunheard,ann,VIEW,2006-04-07\n');
  expect(outcome.exitCode).toBe(1);
  expect(outcome.stderr).toContain('rows.csv:2: item "unheard" is unknown or hidden');
  expect(await query(database.url, 'SELECT count(*)::integer AS rejected FROM rejected')).toEqual([{ rejected: 0 }]);
});

it('a hidden item is a bad row also where unknown ones are made', async () => {
  await query(database.url, "INSERT INTO items (id, title, hidden_at) VALUES ('gone', 'Gone', now())");
  const rows = 'itemId,userId,type,occurredAt\ngone,ann,VIEW,2006-04-07\nnew,ann,VIEW,2006-04-07\n';
  const outcome = await importFile(rows, '--create-items');
  expect(outcome.exitCode).toBe(1);
  expect(outcome.stderr).toContain('rows.csv:2: item "gone" is hidden\n');
  expect(outcome.stdout).toMatch(/rows\.csv: 2 rows \(.*\): 1 stored, 1 bad\n/);
});

it('the demo catalogue is a file of items like any other, and importing it again changes nothing', async () => {
  const books = join(SOURCES, 'src/demo/books.csv');
  for (let times = 0; times < 2; times += 1) {
    const outcome = await runCommand('import', { DATABASE_URL: database.url }, ['--items', books]);
    expect(outcome).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/books\.csv: 200 rows \(.*\): 200 stored, 0 bad\n/),
    });
  }
  const stored = await query(
    database.url,
    "SELECT id, title, category, attributes FROM items WHERE id ~ '^[0-9]+$' ORDER BY id::integer",
  );
  expect(stored).toHaveLength(200);
  expect(stored[0]).toMatchObject({
    id: '1',
    title: 'The Hunger Games (The Hunger Games, #1)',
    category: null,
    attributes: { authors: 'Suzanne Collins', year: 2008, language: 'eng' },
  });
});

it.each([
  [
    'a,b\n1,2\n',
    'has no column itemId, no column userId or deviceId, no column type, no column occurredAt or id; it has a, b',
  ],
  ['', 'rows.csv is empty'],
])('a file that cannot be imported (%j) is told in one line', async (content, fault) => {
  const outcome = await importFile(content);
  expect(outcome.exitCode).toBe(1);
  expect(outcome.stderr.trim().split('\n')).toEqual([expect.stringContaining(fault)]);
});

it('a missing file is told in one line', async () => {
  const outcome = await runCommand('import', { DATABASE_URL: database.url }, ['--items', join(folder, 'none.csv')]);
  expect(outcome).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/none\.csv does not exist\n$/) });
});

it('wrong use shows how it is used and exits 64, a wrong configuration exits 78', async () => {
  const use = await runCommand('import', { DATABASE_URL: database.url }, ['--item', 'x']);
  expect(use).toMatchObject({ exitCode: 64, stderr: expect.stringContaining('npm run import --') });
  const configuration = await runCommand('import', { DATABASE_URL: 'mysql://x' }, ['--items', 'x']);
  expect(configuration).toMatchObject({ exitCode: 78, stderr: expect.stringMatching(/^DATABASE_URL: /) });
});

it('a database without migrations is told so, with exit 78', async () => {
  await using empty = await createTestDatabase();
  const outcome = await runCommand('import', { DATABASE_URL: empty.url }, ['--items', 'x']);
  expect(outcome).toMatchObject({
    exitCode: 78,
    stderr: expect.stringMatching(
      /^migrations: the schema is older than this version, \d+ pending: npm run migrate\n$/,
    ),
  });
});

it('a Ctrl-C that comes twice, from the terminal and from npm, stops it in good order', async () => {
  const path = join(folder, 'many.csv');
  const rows = Array.from({ length: 200_000 }, (_, n) => `good,person-${n},VIEW,2026-01-01\n`).join('');
  await writeFile(path, `itemId,userId,type,occurredAt\n${rows}`);
  const args = ['--interactions', path, '--create-items'];
  const env = { DATABASE_URL: database.url };
  const running = runCommand('import', env, args, undefined, async (signal) => {
    const stored = "SELECT FROM interactions i JOIN items ON key = item_key WHERE items.id = 'good' LIMIT 10";
    await waitFor('some to be stored', async () => (await query(database.url, stored)).length === 10);
    for (let time = 0; time < 2; time += 1) signal('SIGINT');
  });
  const { exitCode, stderr } = await running;
  expect(exitCode, stderr).toBe(130);
  expect(stderr).toContain('stopped: what was stored stays; the same command goes on from there\n');
});
