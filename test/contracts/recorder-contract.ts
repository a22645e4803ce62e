import { describe, expect, test } from 'vitest';
import { createPostgresEraser } from '../../src/adapters/postgres/postgres-eraser.ts';
import { createPostgresRecorder } from '../../src/adapters/postgres/postgres-recorder.ts';
import { createOutboxQueue } from '../../src/adapters/postgres/postgres-outbox.ts';
import { RECORDING_LOCK } from '../../src/adapters/postgres/record-batch-sql.ts';
import { createPostgresRejectedStore } from '../../src/adapters/postgres/postgres-rejected-store.ts';
import { encodeMessage } from '../../src/interactions/message.ts';
import { PoisonBatchError } from '../../src/interactions/recorder.ts';
import { UnavailableError } from '../../src/runtime/errors.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { waitFor } from '../servers/wait-for.ts';
import type { TestDatabase } from '../servers/create-test-database.ts';
import { createRecording, entries, interaction } from '../recording/fixture.ts';

const HOUR = 3_600_000;
/** Who waits for the lock between recording and erasing. */
const WAITING = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** What recording promises, on any Postgres. `server` gives an empty database. */
export function describeRecorder(name: string, server: () => Promise<TestDatabase>): void {
  describe(`recording: ${name}`, () => {
    test('a batch that comes again counts once', async () => {
      await using recording = await createRecording(await server(), ['a', 'b']);
      const batch = entries(
        interaction(),
        interaction({ itemId: 'b', type: 'LIKE' }),
        interaction({ type: 'PURCHASE', metadata: { price: 3 } }),
      );
      expect(await recording.recorder.record(batch)).toMatchObject({ recorded: 3, duplicates: 0 });
      expect(await recording.recorder.record([...batch, ...batch])).toMatchObject({
        recorded: 0,
        duplicates: 6,
        rejected: [],
      });
      expect(await recording.totals()).toEqual(['a VIEW 1 1', 'a PURCHASE 1 1', 'b LIKE 1 1']);
    });

    test('metadata is kept as it was sent, whatever characters are in it', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const metadata = { 'a "key"': String.raw`back\slash, {brace}, "quote" and \"both\"`, list: [null, 'é\n😀', {}] };
      const sent = [interaction({ metadata }), interaction({ metadata: 'NULL' }), interaction()];
      await recording.recorder.record(entries(...sent));
      const rows = await recording.sql('SELECT id::text, metadata FROM interactions');
      const kept = new Map(rows.map((row) => [row['id'], row['metadata']]));
      expect(sent.map(({ id }) => kept.get(id))).toEqual([metadata, 'NULL', null]);
    });

    test('a person counts once per item, type and hour, and every event counts', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const hour = Math.floor(Date.now() / HOUR) * HOUR - HOUR;
      await recording.recorder.record(
        entries(
          interaction({ atMs: hour }),
          interaction({ atMs: hour + 59 * 60_000 }),
          interaction({ atMs: hour, user: 'bob' }),
        ),
      );
      await recording.recorder.record(entries(interaction({ atMs: hour + 5_000 }), interaction({ atMs: hour - 1 })));
      expect(await recording.totals()).toEqual(['a VIEW 5 3']);
    });

    test.each([
      ['like, un-like, like', ['L1', 'R2', 'L3'], 3],
      ['the un-like arrives last', ['L1', 'L3', 'R2'], 3],
      ['the un-like arrives last, after two repeats', ['L1', 'L4', 'L3', 'R2'], 3],
      ['the un-like is the latest', ['L1', 'L2', 'R3'], null],
      ['the un-like of the past arrives first', ['R2', 'L1'], null],
      ['an earlier like arrives after the later one', ['L3', 'L1'], 1],
      ['un-liked twice', ['L1', 'R2', 'R4', 'L3', 'L5'], 5],
    ])('a reaction stands by time, not by arrival: %s', async (_, events, since) => {
      for (const batches of [[events], events.map((event) => [event])]) {
        await using recording = await createRecording(await server(), ['a']);
        const day = 24 * HOUR;
        const start = Math.floor(Date.now() / day) * day - 10 * day;
        for (const batch of batches) {
          const made = batch.map((event) => {
            const at = Number(event.slice(1));
            return interaction({
              type: 'LIKE',
              retraction: event.startsWith('R'),
              atMs: start + at * day,
              name: event,
            });
          });
          await recording.recorder.record(entries(...made));
        }
        const days = await recording.sql('SELECT day, events, people FROM days WHERE events <> 0 OR people <> 0');
        const expected = since === null ? [] : [{ day: start / day + since, events: 1, people: 1 }];
        expect(days).toEqual(expected);
        expect(await recording.totals()).toEqual(since === null ? [] : ['a LIKE 1 1']);
      }
    });

    test('an id used again for something else is rejected, and the first record stays', async () => {
      await using recording = await createRecording(await server(), ['a', 'b']);
      const first = interaction({ name: 'same', atMs: 1_790_000_000_000 });
      await recording.recorder.record(entries(first));
      const reused = [
        { ...first, itemId: 'b' },
        { ...first, type: 'SHARE' as const },
        { ...first, viewer: viewerKeyOf({ userId: 'bob' }) },
      ];
      for (const one of reused) {
        const result = await recording.recorder.record(entries(one, interaction({ user: 'carl' })));
        expect(result).toMatchObject({ recorded: 1, duplicates: 0, rejected: [{ reason: 'ID_REUSED' }] });
      }
      const inOneBatch = interaction();
      const result = await recording.recorder.record(entries(inOneBatch, { ...inOneBatch, itemId: 'b' }));
      expect(result).toMatchObject({ recorded: 1, duplicates: 0, rejected: [{ reason: 'ID_REUSED' }] });
      expect(await recording.sql('SELECT count(*)::int AS kept FROM rejected')).toEqual([{ kept: 4 }]);
    });

    test('of two batches at once that use an id for different things one is recorded, the other rejected', async () => {
      await using recording = await createRecording(await server(), ['a', 'b']);
      for (let turn = 0; turn < 20; turn += 1) {
        const one = interaction();
        const results = await Promise.all(
          ['a', 'b'].map((itemId) => recording.recorder.record(entries({ ...one, itemId }, interaction()))),
        );
        expect(results.map(({ recorded, duplicates }) => recorded + duplicates).toSorted((a, b) => a - b)).toEqual([
          1, 2,
        ]);
        expect(results.flatMap(({ rejected }) => rejected.map(({ reason }) => reason))).toEqual(['ID_REUSED']);
      }
    });

    test('a like under an id of something else makes no reaction, and takes nothing from those beside it', async () => {
      await using recording = await createRecording(await server(), ['a', 'b']);
      const [view, known] = [interaction(), interaction({ user: 'known', type: 'LIKE' })];
      await recording.recorder.record(entries(view, known));
      const stolen = { ...view, type: 'LIKE' as const };
      const beside = interaction({ user: 'bob', type: 'LIKE' });
      // Fresh and stolen are about one reaction: it stands since the fresh one, though the other is earlier.
      const fresh = interaction({ itemId: 'b', type: 'LIKE' });
      const earlier = { ...view, itemId: 'b', type: 'LIKE' as const };
      const retracted = interaction({ user: 'known', type: 'LIKE', retraction: true });
      const first = await recording.recorder.record(entries(stolen, beside, known));
      expect(first).toMatchObject({ recorded: 1, duplicates: 1, rejected: [{ reason: 'ID_REUSED' }] });
      const second = await recording.recorder.record(entries(earlier, fresh, retracted));
      expect(second).toMatchObject({ recorded: 2, duplicates: 0, rejected: [{ reason: 'ID_REUSED' }] });
      expect(await recording.totals()).toEqual(['a VIEW 1 1', 'a LIKE 1 1', 'b LIKE 1 1']);
      const rows = await recording.sql('SELECT since_id::text, latest_id::text, retracted_id::text FROM reactions');
      expect(new Set(rows.map((row) => [row['since_id'], row['latest_id'], row['retracted_id']].join()))).toEqual(
        new Set(
          [
            [beside.id, beside.id, null],
            [fresh.id, fresh.id, null],
            [null, known.id, retracted.id],
          ].map((ids) => ids.join()),
        ),
      );
    });

    test('an unknown item is rejected alone, once, and recorded when replayed after it exists', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const { database } = recording.migrated;
      const batch = entries(interaction({ itemId: 'later' }), interaction());
      for (const recorded of [1, 0]) {
        const result = await recording.recorder.record(batch);
        expect(result).toMatchObject({ recorded, rejected: [{ reason: 'ITEM_NOT_FOUND' }] });
      }
      const store = createPostgresRejectedStore(database);
      expect(await store.list({}, 0n, 10)).toMatchObject([
        { reason: 'ITEM_NOT_FOUND', detail: 'later', interactionId: batch[0]?.interaction.id },
      ]);
      await recording.sql(`INSERT INTO items (id, title) VALUES ('later', 'now')`);
      expect(await store.replay({ reason: 'ITEM_NOT_FOUND' })).toBe(1);
      expect(await store.list({}, 0n, 10)).toEqual([]);
      expect(await recording.sql(`SELECT convert_from(body, 'UTF8')::json->>'item' AS item FROM outbox`)).toEqual([
        { item: 'later' },
      ]);
    });

    test('outbox rows go in the transaction that records them, and to one worker only', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const { database } = recording.migrated;
      const made = Array.from({ length: 200 }, () => interaction());
      await createOutboxQueue(database).publish(made.map(encodeMessage));
      const rows = await recording.sql('SELECT seq FROM outbox ORDER BY seq');
      const batch = entries(...made).map((entry, index) => ({
        ...entry,
        outboxSeq: BigInt(String(rows[index]?.['seq'])),
      }));
      const workers = [recording.recorder, createPostgresRecorder(database), createPostgresRecorder(database)];
      const results = await Promise.all(workers.map((worker) => worker.record(batch)));
      expect(results.reduce((sum, result) => sum + result.recorded, 0)).toBe(200);
      expect(results.every((result) => result.recorded + result.skipped === 200)).toBe(true);
      expect(await recording.sql('SELECT count(*)::int AS left FROM outbox')).toEqual([{ left: 0 }]);
      expect(await recording.totals()).toEqual(['a VIEW 200 1']);
    });

    test('a row that Postgres refuses poisons its batch and leaves nothing behind', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const poison = interaction({ metadata: { text: 'a\0b' } });
      await expect(recording.recorder.record(entries(interaction(), poison))).rejects.toThrow(PoisonBatchError);
      expect(await recording.totals()).toEqual([]);
      expect(await recording.sql('SELECT count(*)::int AS rows FROM interactions')).toEqual([{ rows: 0 }]);
    });

    test('a schema that is not up to date is no poison of the rows', async () => {
      await using recording = await createRecording(await server(), ['a']);
      await recording.sql('ALTER TABLE totals RENAME TO totals_of_another_version');
      await expect(recording.recorder.record(entries(interaction()))).rejects.toThrow(UnavailableError);
    });

    test.each([['LIKE', 'SHARE'] as const, ['VIEW', 'SHARE'] as const])(
      'eight workers with shuffled batches of the same hot items neither deadlock nor miscount: %s and %s',
      async (...types) => {
        await using recording = await createRecording(await server(), ['a', 'b', 'c']);
        const { database } = recording.migrated;
        const made = Array.from({ length: 2_000 }, (_, index) => {
          const type = types[index % 2] ?? 'VIEW';
          const retraction = type === 'LIKE' && index % 20 === 0;
          return interaction({ itemId: 'abc'.charAt(index % 3), user: `u${index % 50}`, type, retraction });
        });
        const shuffled = (seed: number) => made.toSorted((x, y) => hash(x.id, seed) - hash(y.id, seed));
        await Promise.all(
          Array.from({ length: 8 }, async (_, seed) => {
            const recorder = createPostgresRecorder(database);
            const mine = shuffled(seed);
            for (let from = 0; from < mine.length; from += 400)
              await recorder.record(entries(...mine.slice(from, from + 400)));
          }),
        );
        expect(await recording.sql('SELECT count(*)::int AS rows FROM interactions')).toEqual([{ rows: 2_000 }]);
        const [sums] = await recording.sql(`
      SELECT (SELECT count(*)::int FROM interactions WHERE type NOT IN ('LIKE', 'SAVE')) AS events,
        (SELECT sum(events)::int FROM totals WHERE type NOT IN ('LIKE', 'SAVE')) AS events_counted,
        (SELECT count(*)::int FROM reactions WHERE since_id IS NOT NULL) AS likes,
        (SELECT coalesce(sum(events), 0)::int FROM totals WHERE type = 'LIKE') AS likes_counted,
        (SELECT count(*)::int FROM people) AS people,
        (SELECT sum(people)::int FROM hours WHERE type NOT IN ('LIKE', 'SAVE')) AS people_counted`);
        expect(sums?.['events']).toBe(types[0] === 'LIKE' ? 1_000 : 2_000);
        expect(sums?.['events_counted']).toBe(sums?.['events']);
        expect(sums?.['likes_counted']).toBe(sums?.['likes']);
        expect(sums?.['people_counted']).toBe(sums?.['people']);
      },
    );

    test('an erasure waits for the batch that is under way, and takes it along', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const { database } = recording.migrated;
      const ann = viewerKeyOf({ userId: 'ann' });
      await recording.recorder.record(entries(interaction()));
      const late = interaction();
      let erasing: Promise<unknown> | undefined;
      await database.transaction(async (tx) => {
        await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(${RECORDING_LOCK})`;
        await tx.$executeRaw`
      INSERT INTO interactions SELECT ${late.id}::uuid, viewer, item_key, type, retraction FROM interactions`;
        erasing = createPostgresEraser(database).erase(ann);
        await waitFor('the erasure to wait', async () => (await recording.sql(WAITING)).length > 0);
      });
      expect(await erasing).toEqual({ interactions: 2 });
      expect(await recording.sql('SELECT FROM interactions')).toEqual([]);
    });

    test('a batch waits for the erasure that is under way, and keeps nothing of that person', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const { recorder, migrated } = recording;
      const ann = viewerKeyOf({ userId: 'ann' });
      const [batch, view, unknown] = [
        entries(interaction({ type: 'LIKE' }), interaction()),
        entries(interaction()),
        entries(interaction({ itemId: 'unknown' })),
      ];
      const refused = unknown.map((entry) => ({ ...entry, reason: 'RECORD_FAILED' as const, detail: 'x' }));
      let recordingThem: Promise<unknown> | undefined;
      await migrated.database.transaction(async (tx) => {
        await tx.$executeRaw`SELECT erase_begin(${ann}::uuid)`;
        recordingThem = Promise.all([
          recorder.record(batch),
          recorder.record(view),
          recorder.record(unknown),
          recorder.reject(refused),
        ]);
        await waitFor('all of them to wait', async () => (await recording.sql(WAITING)).length === 4);
      });
      await recordingThem;
      for (const table of ['interactions', 'people', 'reactions', 'rejected', 'touched']) {
        expect(await recording.sql(`SELECT FROM ${table}`), table).toEqual([]);
      }
    });

    test('an erased person leaves nothing, and what they sent before is discarded', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const { database } = recording.migrated;
      const ann = viewerKeyOf({ userId: 'ann' });
      const likes = interaction({ type: 'LIKE' });
      await recording.recorder.record(
        entries(likes, interaction(), interaction(), interaction({ user: 'bob' }), interaction({ itemId: 'gone' })),
      );
      // Of a version that nobody here can read: it has no viewer but in its body.
      await recording.sql(`INSERT INTO rejected (body_hash, body, reason, detail)
        VALUES ('x', '{"v":99,"viewer":"${ann}"}', 'NEWER_VERSION', 'version 99')`);
      const inFlight = entries(interaction({ type: 'SAVE' }), interaction());
      expect(await createPostgresEraser(database).erase(ann)).toEqual({ interactions: 3 });
      expect(await recording.recorder.record([...inFlight, ...entries(likes)])).toMatchObject({
        recorded: 0,
        discarded: [...inFlight, ...entries(likes)].map((entry) => entry.interaction),
      });
      expect(await recording.totals()).toEqual(['a VIEW 1 1']);
      for (const table of ['interactions', 'people', 'reactions', 'rejected']) {
        expect(
          await recording.sql(`SELECT count(*)::int AS rows FROM ${table} WHERE viewer = '${ann}'`),
          table,
        ).toEqual([{ rows: 0 }]);
      }
      const columns = await recording.sql(`
        SELECT table_name AS "table", column_name AS "column", data_type = 'bytea' AS bytes
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`);
      expect(columns.length).toBeGreaterThan(50);
      for (const { table, column, bytes } of columns) {
        const text = bytes === true ? `encode("${String(column)}", 'escape')` : `"${String(column)}"::text`;
        expect([
          `${String(table)}.${String(column)}`,
          await recording.sql(`SELECT FROM "${String(table)}" WHERE ${text} LIKE '%${ann}%'`),
        ]).toEqual([expect.any(String), []]);
      }
      const refused = entries(interaction({ itemId: 'unknown', acceptedAtMs: Date.now() - 60_000 }));
      await recording.recorder.record(refused);
      await recording.recorder.reject(
        refused.map((entry) => ({ ...entry, reason: 'RECORD_FAILED' as const, detail: 'x' })),
      );
      const newer = Buffer.from(`{"v":99,"viewer":"${ann}","at":${Date.now() - 60_000}}`);
      await recording.recorder.reject([
        { body: newer, outboxSeq: null, reason: 'NEWER_VERSION', detail: 'version 99', interaction: null },
      ]);
      expect(await recording.sql('SELECT FROM rejected')).toEqual([]);
      const back = interaction({ acceptedAtMs: Date.now() + 1_000 });
      expect(await recording.recorder.record(entries(back))).toMatchObject({ recorded: 1, discarded: [] });
    });

    test('what comes again between the steps of an erasure takes nothing from others', async () => {
      await using recording = await createRecording(await server(), ['a']);
      const { database } = recording.migrated;
      const ann = viewerKeyOf({ userId: 'ann' });
      const acceptedAtMs = Date.now() - 60_000;
      const liked = entries(interaction({ itemId: 'a', type: 'LIKE', acceptedAtMs }));
      await recording.recorder.record([...liked, ...entries(interaction({ itemId: 'a', type: 'LIKE', user: 'bob' }))]);
      const eraser = createPostgresEraser({
        ...database,
        async transaction(work, timeoutMs) {
          const result = await database.transaction(work, timeoutMs);
          await recording.recorder.record(liked);
          return result;
        },
      });
      await eraser.erase(ann);
      expect(await recording.totals()).toEqual(['a LIKE 1 1']);
      expect(await recording.sql('SELECT count(*)::int AS left FROM reactions')).toEqual([{ left: 1 }]);
    });

    test('of a person who goes on while they are erased, what is left is counted as a recount has it', async () => {
      const ids = Array.from({ length: 300 }, (_, n) => `item-${n}`);
      await using recording = await createRecording(await server(), ids);
      const { database } = recording.migrated;
      const ann = viewerKeyOf({ userId: 'ann' });
      const both = (itemId: string, acceptedAtMs: number) => [
        interaction({ itemId, type: 'LIKE', acceptedAtMs }),
        ...Array.from({ length: 4 }, () => interaction({ itemId, acceptedAtMs })),
      ];
      await recording.recorder.record(entries(...ids.flatMap((id) => both(id, Date.now() - 60_000))));
      let isErased = false;
      const goesOn = async (from: number): Promise<void> => {
        for (let n = from; !isErased; n += 7) {
          // As of a clock ahead: erased is what was accepted before.
          await recording.recorder.record(entries(...both(ids[n % ids.length] ?? '', Date.now() + 60_000)));
        }
      };
      const going = [0, 1, 2, 3, 4].map(goesOn);
      for (let time = 0; time < 5; time += 1) await createPostgresEraser(database).erase(ann);
      isErased = true;
      await Promise.all(going);
      const [sums] = await recording.sql(`
        SELECT count(*)::int AS rows, count(DISTINCT item_key) FILTER (WHERE type = 'VIEW')::int AS viewed,
          count(DISTINCT item_key) FILTER (WHERE type = 'LIKE')::int AS liked,
          (SELECT count(*)::int FROM people) AS people, (SELECT sum(people)::int FROM totals WHERE type = 'VIEW') AS people_counted,
          (SELECT count(*)::int FROM reactions WHERE since_id IS NOT NULL) AS likes,
          (SELECT sum(events)::int FROM totals WHERE type = 'LIKE') AS likes_counted,
          count(*) FILTER (WHERE type = 'VIEW')::int AS views, (SELECT sum(events)::int FROM totals WHERE type = 'VIEW') AS views_counted
        FROM interactions`);
      expect(sums).toMatchObject({
        people: sums?.['viewed'],
        people_counted: sums?.['viewed'],
        likes: sums?.['liked'],
        likes_counted: sums?.['liked'],
        views_counted: sums?.['views'],
      });
      expect(sums?.['rows']).toBeGreaterThan(0);
    });
  });
}

function hash(text: string, seed: number): number {
  let value = seed + 1;
  for (const character of text) value = (Math.imul(value, 31) + character.charCodeAt(0)) | 0;
  return value;
}
