import { createPostgresItemStore } from '../../src/adapters/postgres/postgres-item-store.ts';
import { createPostgresRecorder } from '../../src/adapters/postgres/postgres-recorder.ts';
import { derivedInteractionId } from '../../src/interactions/interaction-id.ts';
import type { Interaction } from '../../src/interactions/interaction.ts';
import { encodeMessage } from '../../src/interactions/message.ts';
import type { InteractionRecorder, RecordEntry } from '../../src/interactions/recorder.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { createMigratedDatabase, type MigratedDatabase } from '../migrated-database.ts';
import type { TestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';

export interface Recording {
  readonly migrated: MigratedDatabase;
  readonly recorder: InteractionRecorder;
  sql(statement: string): Promise<Record<string, unknown>[]>;
  /** Rows of totals as `item TYPE events people`, sorted. */
  totals(): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A recorder on this empty database, with these items. */
export async function createRecording(server: TestDatabase, itemIds: readonly string[]): Promise<Recording> {
  const migrated = await createMigratedDatabase(server);
  const { database } = migrated;
  await createPostgresItemStore(database).createMissing(
    itemIds.map((id) => ({ id, title: id, category: null, url: null, imageUrl: null, attributes: null })),
  );
  return {
    migrated,
    recorder: createPostgresRecorder(database),
    sql: (statement) => query(server.url, statement),
    async totals() {
      const rows = await query(
        server.url,
        `SELECT id, type, events, people FROM totals JOIN items ON key = item_key WHERE events <> 0 OR people <> 0
         ORDER BY id, type`,
      );
      return rows.map(
        ({ id, type, events, people }) => `${String(id)} ${String(type)} ${String(events)} ${String(people)}`,
      );
    },
    [Symbol.asyncDispose]: () => migrated[Symbol.asyncDispose](),
  };
}

let serial = 0;

/** A view of item `a` by `ann` now, but for what is given. `name` makes the same id each time. */
export function interaction(
  given: Partial<Omit<Interaction, 'viewer'>> & { user?: string; atMs?: number; name?: string } = {},
): Interaction {
  const { user = 'ann', atMs = Date.now(), name = `serial ${(serial += 1)}`, ...rest } = given;
  return {
    id: derivedInteractionId(atMs, name),
    itemId: 'a',
    viewer: viewerKeyOf({ userId: user }),
    type: 'VIEW',
    retraction: false,
    metadata: null,
    acceptedAtMs: Date.now(),
    ...rest,
  };
}

export function entries(...interactions: readonly Interaction[]): RecordEntry[] {
  return interactions.map((one) => ({ interaction: one, body: encodeMessage(one), outboxSeq: null }));
}
