import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, appendFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimAddresses, type Addresses } from '../../deploy/stack/addresses.ts';
import type { Placement } from '../../deploy/stack/member.ts';
import { newSecrets, type Secrets } from '../../deploy/stack/secrets.ts';
import { databaseUrl, restorePrimary, startPrimary, startReplica } from '../../deploy/stack/start-postgres.ts';
import { createPostgresRecorder } from '../../src/adapters/postgres/postgres-recorder.ts';
import { createRecording, entries, interaction } from '../recording/fixture.ts';
import { requireProgram } from '../servers/programs.ts';
import { openDatabase } from '../open-database.ts';
import { query } from '../servers/query.ts';
import { testDirectory } from '../servers/test-run.ts';
import { give, unprivilegedUser } from '../servers/unprivileged-user.ts';
import { waitFor } from '../servers/wait-for.ts';

const PAGE = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const COUNTS = ['interactions', 'people', 'reactions', 'hours', 'days', 'totals'] as const;

let addresses: Addresses;
let secrets: Secrets;
beforeAll(async () => {
  [addresses, secrets] = [await claimAddresses(), newSecrets()];
});
afterAll(() => addresses.release());

/** The fenced block of the page that begins with this, without its indentation, with our folder for /backup. */
function block(start: string, backup: string): string {
  const text = [...PAGE.matchAll(/```(?:ini|sh|sql)\n([\s\S]*?)```/g)]
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

/** As the page says, as who runs Postgres. */
async function takeBaseBackup({ address, secrets }: Placement, backup: string): Promise<void> {
  const command = block('PGPASSWORD', backup).replace('postgres-primary', address);
  const programs = dirname(requireProgram('postgres'));
  await promisify(execFile)('sh', ['-c', command], {
    cwd: '/',
    env: { PATH: `${programs}:${process.env['PATH'] ?? ''}`, REPLICATION_PASSWORD: secrets.REPLICATION_PASSWORD },
    ...unprivilegedUser(),
  });
}

it('a base backup and the archived WAL bring back a moment between two sets of interactions, and what comes again counts once', async () => {
  const user = unprivilegedUser();
  const backup = testDirectory('backup');
  give(backup, user);
  const wal = join(backup, 'wal');
  mkdirSync(wal);
  give(wal, user);
  const archiving = block('archive_mode', backup);
  const place = (): Placement => ({ name: 'postgres-primary', address: addresses.take(), hosts: {}, secrets });

  const sets = {
    first: interactions(40, 'first'),
    second: interactions(60, 'second'),
    third: interactions(50, 'third'),
  };
  let moment: string;
  let atTheMoment: Record<string, unknown>;
  let atTheEnd: Record<string, unknown>;
  const node = place();
  const lost = await startPrimary(node, [], archiving);
  try {
    const url = databaseUrl(node);
    // It is lost, not dropped.
    const kept = { name: 'groundswell', url, replicaUrls: [], drop: async () => undefined };
    await using recording = await createRecording({ ...kept, [Symbol.asyncDispose]: kept.drop }, ['a', 'b']);
    const record = (set: ReturnType<typeof interactions>) => recording.recorder.record(entries(...set));
    await record(sets.first);
    await takeBaseBackup(node, backup);
    await record(sets.second);
    atTheMoment = await counts(url);
    // Times of commits are compared by the microsecond.
    const [now] = await query(url, 'SELECT clock_timestamp()::text AS now');
    moment = String(now?.['now']);
    await record(sets.third);
    atTheEnd = await counts(url);
    expect(atTheEnd).not.toEqual(atTheMoment);
    // In good order, so that the last of the WAL is archived without waiting for archive_timeout.
    await lost.terminate();
  } finally {
    await lost.stop();
  }

  const anew = place();
  const restored = await restorePrimary(anew, archiving, (data) => {
    const [base = ''] = readdirSync(backup).filter((name) => name.startsWith('base-'));
    cpSync(join(backup, base), data, { recursive: true });
    rmSync(join(data, 'pg_wal'), { recursive: true });
    mkdirSync(join(data, 'pg_wal', 'archive_status'), { recursive: true });
    const recovery = block('restore_command', backup).replace(
      /recovery_target_time = .*/,
      `recovery_target_time = '${moment}'`,
    );
    appendFileSync(join(data, 'postgresql.auto.conf'), recovery);
    writeFileSync(join(data, 'recovery.signal'), '');
  });
  try {
    const url = databaseUrl(anew);
    await waitFor('the recovery to end', async () => {
      const [row] = await query(url, 'SELECT pg_is_in_recovery() AS recovering');
      return row?.['recovering'] === false;
    });
    expect(await counts(url)).toEqual(atTheMoment);
    const statements = block('ALTER SYSTEM RESET', backup).split(';\n');
    for (const statement of statements) await query(restored.superuserUrl, statement);
    const follower: Placement = { ...place(), name: 'postgres-replica-1' };
    const replica = await startReplica(follower, anew, 'replica_1');

    // The queue and clients send again what was recorded before the moment and after it.
    const database = openDatabase(url, { poolSize: 2 });
    try {
      const recorder = createPostgresRecorder(database);
      const outcome = await recorder.record(entries(...sets.second, ...sets.third));
      expect(outcome).toMatchObject({ recorded: sets.third.length, duplicates: sets.second.length });
      expect(await counts(url)).toEqual(atTheEnd);
      await waitFor('the replica to have it', async () =>
        isDeepStrictEqual(await counts(databaseUrl(follower)), atTheEnd),
      );
      expect(await query(databaseUrl(follower), 'SELECT pg_is_in_recovery() AS follows')).toEqual([{ follows: true }]);
    } finally {
      await database.close();
      await replica.stop();
    }
  } finally {
    await restored.stop();
  }
});
