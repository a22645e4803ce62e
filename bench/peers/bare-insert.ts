import pg from 'pg';
import { generateInteractions } from '../generate-interactions.ts';

/** The limit of recording: one connection that does nothing but insert the same rows in batches of the same size. */
const batchSize = Number(process.env['BATCH']);
const rows = generateInteractions(Number(process.env['ROWS']), Number(process.env['SEED']));
const client = new pg.Client({ connectionString: process.env['BARE_DATABASE_URL'] });
await client.connect();
for (let at = 0; at < rows.length; at += batchSize) {
  const batch = rows.slice(at, at + batchSize);
  await client.query(
    `INSERT INTO bare (id, viewer, item_key, type, retraction, metadata)
     SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::interaction_type[], $5::boolean[], $6::jsonb[])`,
    [
      batch.map(({ id }) => id),
      batch.map(({ viewer }) => viewer),
      batch.map(({ itemId }) => itemId.slice('item-'.length)),
      batch.map(({ type }) => type),
      batch.map(({ retraction }) => retraction),
      batch.map(() => null),
    ],
  );
}
await client.end();
