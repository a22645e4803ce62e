import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createPostgresRecorder } from '../../src/adapters/postgres/postgres-recorder.ts';
import { createDatabase, type Database } from '../../src/adapters/postgres/prisma-database.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { createRecording, entries, interaction } from '../recording/fixture.ts';
import { query } from '../servers/query.ts';
import { runPostgresProgram, startPostgres } from '../servers/start-postgres.ts';
import { testDirectory } from '../servers/test-run.ts';
import { give, unprivilegedUser } from '../servers/unprivileged-user.ts';
import { waitFor } from '../servers/wait-for.ts';

const PAGE = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const COUNTS = ['interactions', 'people', 'reactions', 'hours', 'days', 'totals'] as const;

/** The fenced block of the page that begins with this, without its indentation, with our folder for /backup. */
function block(start: string, backup: string): string {
  const text = [...PAGE.matchAll(/```(?:ini|sh)\n([\s\S]*?)```/g)]
    .flatMap(([, body = '']) => body.replaceAll(/^ +/gm, ''))
    .find((body) => body.startsWith(start));
  if (text === undefined) throw new Error(`docs/operations.md has no block that begins with ${start}`);
  return text.replaceAll('/backup', backup);
}

/** Views and likes of `a` and `b` by as many people, each with an id of its own. */
function interactions(count: number, name: string) {
  return Array.from({ length: count }, (_, index) =>
    interaction({
      name: `${name} ${index}`,
      user: `${name} ${index}`,
      itemId: index % 3 === 0 ? 'b' : 'a',
      type: index % 4 === 0 ? 'LIKE' : 'VIEW',
    }),
  );
}

async function counts(url: string): Promise<Record<string, unknown>> {
  const sums = COUNTS.map((table) =>
    ['hours', 'days', 'totals'].includes(table)
      ? `(SELECT sum(events) || '/' || sum(people) FROM ${table}) AS ${table}`
      : `(SELECT count(*)::text FROM ${table}) AS ${table}`,
  );
  return (await query(url, `SELECT ${sums.join(', ')}`))[0] ?? {};
}

async function archived(url: string): Promise<void> {
  const [row] = await query(url, 'SELECT pg_walfile_name(pg_switch_wal()) AS file');
  const file = String(row?.['file']);
  await waitFor(`${file} to be archived`, async () => {
    const [archiver] = await query(url, 'SELECT last_archived_wal AS last FROM pg_stat_archiver');
    return String(archiver?.['last']) >= file;
  });
}

it('a base backup and the archived WAL bring back a moment between two sets of interactions, and what comes again counts once', async () => {
  const user = unprivilegedUser();
  const backup = testDirectory('backup');
  give(backup, user);
  const wal = join(backup, 'wal');
  mkdirSync(wal);
  give(wal, user);

  const sets = {
    first: interactions(40, 'first'),
    second: interactions(60, 'second'),
    third: interactions(50, 'third'),
  };
  let name: string;
  let moment: string;
  let atTheMoment: Record<string, unknown>;
  let atTheEnd: Record<string, unknown>;
  {
    await using lost = await startPostgres({ config: block('archive_mode', backup) });
    const database = await lost.createDatabase();
    name = database.name;
    // It is lost, not dropped.
    const kept = { ...database, drop: async () => undefined, [Symbol.asyncDispose]: async () => undefined };
    await using recording = await createRecording(kept, ['a', 'b']);
    const record = (set: ReturnType<typeof interactions>) => recording.recorder.record(entries(...set));
    await record(sets.first);
    const [program = '', ...args] = block('pg_basebackup', backup).trim().split(' ');
    await runPostgresProgram(
      program,
      args.map((argument) => (argument === '"$DATABASE_DIRECT_URL"' ? lost.url : argument)),
    );
    await record(sets.second);
    atTheMoment = await counts(database.url);
    // Times of commits are compared by the microsecond.
    const [now] = await query(database.url, 'SELECT clock_timestamp()::text AS now');
    moment = String(now?.['now']);
    await record(sets.third);
    atTheEnd = await counts(database.url);
    expect(atTheEnd).not.toEqual(atTheMoment);
    await archived(lost.url);
    await lost.primary.kill();
  }

  await using restored = await startPostgres({
    fill: (data) => {
      const base = join(backup, 'base');
      for (const file of readdirSync(base)) cpSync(join(base, file), join(data, file), { recursive: true });
      rmSync(join(data, 'pg_wal'), { recursive: true });
      mkdirSync(join(data, 'pg_wal', 'archive_status'), { recursive: true });
      const recovery = block('restore_command', backup).replace(
        /recovery_target_time = .*/,
        `recovery_target_time = '${moment}'`,
      );
      appendFileSync(join(data, 'postgresql.conf'), `\narchive_mode = off\n${recovery}`);
      writeFileSync(join(data, 'recovery.signal'), '');
    },
  });
  await waitFor('the recovery to end', async () => {
    const [row] = await query(restored.url, 'SELECT pg_is_in_recovery() AS recovering');
    return row?.['recovering'] === false;
  });
  const url = restored.primary.urlOf(name);
  expect(await counts(url)).toEqual(atTheMoment);

  // The queue and clients send again what was recorded before the moment and after it.
  const database = openDatabase(url);
  try {
    const recorder = createPostgresRecorder(database);
    const outcome = await recorder.record(entries(...sets.second, ...sets.third));
    expect(outcome).toMatchObject({ recorded: sets.third.length, duplicates: sets.second.length });
    expect(await counts(url)).toEqual(atTheEnd);
  } finally {
    await database.close();
  }
});

function openDatabase(url: string): Database {
  return createDatabase({
    url,
    replicaUrls: [],
    poolSize: 2,
    replicaMaxLagMs: 1_000,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
  });
}
