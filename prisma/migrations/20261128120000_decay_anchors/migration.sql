-- What an item's hours before `before_hour` come to in a ranking with a half-life, as log2 like the scores; null: nothing. So that
-- rescoring an item does not read months of hours (src/adapters/postgres/decay-anchors.ts).
CREATE TABLE "decay_anchors" (
  "item_key" bigint NOT NULL,
  "ranking" text COLLATE "C" NOT NULL,
  -- squawk-ignore prefer-bigint-over-int
  "before_hour" integer NOT NULL,
  "sort_key" double precision,
  PRIMARY KEY ("item_key", "ranking")
) WITH (fillfactor = 80);

-- Those of the touched items of which days before today changed; null, as versions leave it that do not know it: all may be.
ALTER TABLE "touched" ADD COLUMN "past_keys" bigint[];

-- The transaction of the last pass that kept the anchors. When another has written the row since, they are made anew.
ALTER TABLE "standings_state" ADD COLUMN "anchored_xid" xid;

-- The one list of who may do what: grant_rights grants by it, and `npm run doctor` looks whether it is so.
CREATE OR REPLACE FUNCTION "wanted_rights"() RETURNS TABLE (role text, kind text, "right" text, objects text[])
LANGUAGE sql IMMUTABLE AS $$
  VALUES
    ('groundswell_api', 'TABLE', 'SELECT', ARRAY['_prisma_migrations', 'catalogue_state', 'days', 'hours', 'interactions', 'items',
      'minutes', 'rankings', 'reactions', 'rejected', 'schema_floor', 'standing_lists', 'standings', 'standings_state', 'totals',
      'touched']),
    ('groundswell_api', 'TABLE', 'INSERT', ARRAY['items', 'outbox', 'touched']),
    ('groundswell_api', 'TABLE', 'UPDATE', ARRAY['catalogue_state', 'items']),
    ('groundswell_api', 'FUNCTION', 'EXECUTE', ARRAY['erase_begin(uuid)', 'erase_interactions(uuid, integer, integer)',
      'erase_reactions(uuid, integer, integer)', 'erase_rejected(uuid)']),
    ('groundswell_worker', 'TABLE', 'SELECT', ARRAY['_prisma_migrations', 'days', 'decay_anchors', 'erasure_key', 'erasures', 'hours',
      'interactions', 'items', 'minutes', 'outbox', 'people', 'rankings', 'reactions', 'rejected', 'schema_floor',
      'standing_lists', 'standings', 'standings_state', 'totals', 'touched']),
    ('groundswell_worker', 'TABLE', 'INSERT', ARRAY['days', 'decay_anchors', 'hours', 'interactions', 'minutes', 'outbox', 'people', 'reactions',
      'rejected', 'standing_lists', 'standings', 'standings_state', 'totals', 'touched']),
    -- That of the outbox and of minutes is for locking rows.
    ('groundswell_worker', 'TABLE', 'UPDATE', ARRAY['days', 'decay_anchors', 'hours', 'minutes', 'outbox', 'reactions', 'standing_lists',
      'standings', 'standings_state', 'totals']),
    ('groundswell_worker', 'TABLE', 'DELETE', ARRAY['decay_anchors', 'minutes', 'outbox', 'reactions', 'rejected', 'standing_lists', 'standings',
      'touched']),
    ('groundswell_worker', 'FUNCTION', 'EXECUTE', ARRAY['ensure_month(timestamptz)', 'drop_month(text)'])
$$;

SELECT grant_rights();
