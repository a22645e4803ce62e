import type { Item, ItemInput } from '../../items/item.ts';
import type { ItemStore } from '../../items/item-store.ts';
import type { JsonValue } from '../../runtime/json.ts';
import { PLAN_KEPT } from './named-statements.ts';
import type { Database, Queryable } from './prisma-database.ts';
import { Prisma } from '../generated/prisma/client.ts';

/** Longer than any replica in rotation may lag. */
const RECENTLY_HIDDEN = '2 minutes';

interface ItemRow {
  id: string;
  title: string;
  category: string | null;
  url: string | null;
  image_url: string | null;
  attributes: JsonValue | null;
  created_at: Date;
}

const COLUMNS = Prisma.sql`id, title, category, url, image_url, attributes, created_at`;

export function createPostgresItemStore(database: Database): ItemStore {
  return {
    async find(ids, point) {
      const work = (client: Queryable): Promise<ItemRow[]> => client.$queryRaw`
        SELECT ${PLAN_KEPT} ${COLUMNS} FROM items WHERE id = ANY(${ids}::text[]) AND hidden_at IS NULL`;
      const rows = await (point === null ? database.read(work) : database.readPast(point, work));
      return rows.map(toItem);
    },

    async known(ids) {
      const rows = await database.primary(
        (client) => client.$queryRaw<{ id: string }[]>`
          SELECT ${PLAN_KEPT} id FROM items WHERE id = ANY(${ids}::text[]) AND hidden_at IS NULL`,
      );
      return new Set(rows.map(({ id }) => id));
    },

    async hidden(ids) {
      const rows = await database.primary(
        (client) => client.$queryRaw<{ id: string }[]>`
          SELECT id FROM items WHERE id = ANY(${ids}::text[]) AND hidden_at IS NOT NULL`,
      );
      return new Set(rows.map(({ id }) => id));
    },

    async upsert(items) {
      const latest = [...new Map(items.map((item) => [item.id, item])).values()];
      if (latest.length === 0) return [];
      const rows = await database.transaction(async (tx) => {
        const stored = await tx.$queryRaw<(ItemRow & { key: bigint })[]>(Prisma.sql`
          INSERT INTO items (id, title, category, url, image_url, attributes) ${inputSql(latest)}
          ON CONFLICT (id) DO UPDATE SET title = excluded.title, category = excluded.category, url = excluded.url,
            image_url = excluded.image_url, attributes = excluded.attributes
          RETURNING key, ${COLUMNS}`);
        await tx.$executeRaw`INSERT INTO touched (item_keys, past_keys) VALUES (${stored.map(({ key }) => key)}::bigint[], '{}')`;
        return stored;
      });
      const byId = new Map(rows.map((row) => [row.id, toItem(row)]));
      return latest.flatMap(({ id }) => byId.get(id) ?? []);
    },

    async createMissing(items) {
      if (items.length === 0) return 0;
      return database.primary((client) =>
        client.$executeRaw(Prisma.sql`
          INSERT INTO items (id, title, category, url, image_url, attributes) ${inputSql(items)}
          ON CONFLICT (id) DO NOTHING`),
      );
    },

    hide: (ids, hidden) =>
      database.transaction(async (tx) => {
        const rows = await tx.$queryRaw<{ id: string; key: bigint; changed: boolean }[]>(Prisma.sql`
          WITH before AS (
            SELECT key, id, hidden_at FROM items WHERE id = ANY(${ids}::text[]) ORDER BY id FOR UPDATE
          ), changed AS (
            UPDATE items i SET hidden_at = ${hidden ? Prisma.sql`clock_timestamp()` : Prisma.sql`NULL`}
            FROM before WHERE i.key = before.key AND (before.hidden_at IS NULL) = ${hidden}
            RETURNING i.key
          )
          SELECT before.id, before.key, changed.key IS NOT NULL AS changed
          FROM before LEFT JOIN changed ON changed.key = before.key`);
        const keys = rows.filter(({ changed }) => changed).map(({ key }) => key);
        if (keys.length > 0) {
          await tx.$executeRaw`INSERT INTO touched (item_keys, past_keys) VALUES (${keys}::bigint[], '{}')`;
          await tx.$executeRaw`UPDATE catalogue_state SET generation = generation + 1`;
        }
        return rows.map(({ id }) => id);
      }),

    async isEmpty() {
      const [row] = await database.primary(
        (client) => client.$queryRaw<{ empty: boolean }[]>`SELECT NOT EXISTS (SELECT FROM items) AS empty`,
      );
      return row?.empty === true;
    },

    async changes() {
      const [row] = await database.latest(
        (client) => client.$queryRaw<{ generation: bigint; hidden: string[] }[]>`
          SELECT ${PLAN_KEPT} generation, ARRAY(
            SELECT id FROM items WHERE hidden_at > now() - ${RECENTLY_HIDDEN}::interval
          ) AS hidden FROM catalogue_state`,
      );
      if (row === undefined) throw new Error('catalogue_state is empty');
      return { generation: row.generation, recentlyHidden: row.hidden };
    },
  };
}

/** Sorted, so that concurrent upserts lock rows in one order. */
function inputSql(items: readonly ItemInput[]): Prisma.Sql {
  const json = ({ attributes }: ItemInput): string | null => (attributes === null ? null : JSON.stringify(attributes));
  return Prisma.sql`
    SELECT * FROM unnest(
      ${items.map(({ id }) => id)}::text[], ${items.map(({ title }) => title)}::text[],
      ${items.map(({ category }) => category)}::text[], ${items.map(({ url }) => url)}::text[],
      ${items.map(({ imageUrl }) => imageUrl)}::text[], ${items.map(json)}::jsonb[]
    ) AS input (id, title, category, url, image_url, attributes)
    ORDER BY id COLLATE "C"`;
}

function toItem(row: ItemRow): Item {
  return {
    id: row.id,
    title: row.title,
    category: row.category,
    url: row.url,
    imageUrl: row.image_url,
    attributes: row.attributes,
    createdAt: row.created_at,
  };
}
