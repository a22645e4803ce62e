-- Buckets of time are whole numbers since 1970-01-01 UTC: minute = epoch / 60, hour = epoch / 3600, day = epoch / 86400.
-- No foreign keys on the tables that record: each would lock the item's row for every interaction. The worker looks items up.

CREATE TYPE "interaction_type" AS ENUM ('VIEW', 'LIKE', 'SAVE', 'SHARE', 'COMMENT', 'PURCHASE');
CREATE TYPE "ranking_counts" AS ENUM ('people', 'events');
CREATE TYPE "popularity_window" AS ENUM ('HOUR', 'DAY', 'WEEK', 'MONTH', 'ALL_TIME');
-- A standing covers a window, or decays over all history.
CREATE TYPE "standing_period" AS ENUM ('HOUR', 'DAY', 'WEEK', 'MONTH', 'ALL_TIME', 'DECAY');
CREATE TYPE "rejection_reason" AS ENUM ('INVALID_MESSAGE', 'NEWER_VERSION', 'ITEM_NOT_FOUND', 'ID_REUSED', 'RECORD_FAILED');

-- The minute in which the interaction with this UUIDv7 happened.
CREATE FUNCTION "uuid_minute"(id uuid) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT ((('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint) / 60000)::integer $$;

-- The lowest id that something happening at this time can have.
CREATE FUNCTION "uuid_at"(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

CREATE TABLE "items" (
  "key" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "id" text COLLATE "C" NOT NULL,
  "title" text NOT NULL,
  "category" text COLLATE "C",
  "url" text,
  "image_url" text,
  "attributes" jsonb,
  "created_at" timestamptz(3) NOT NULL DEFAULT now(),
  "hidden_at" timestamptz(3)
);
CREATE UNIQUE INDEX "items_id_key" ON "items" ("id");
-- Every process asks four times a second what was hidden lately.
CREATE INDEX "items_hidden_at_idx" ON "items" ("hidden_at") WHERE "hidden_at" IS NOT NULL;

-- Caches are keyed by this; it grows in the transaction that hides an item or changes a ranking.
CREATE TABLE "catalogue_state" (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  "generation" bigint NOT NULL DEFAULT 1
);
INSERT INTO "catalogue_state" DEFAULT VALUES;

CREATE TABLE "interactions" (
  "id" uuid NOT NULL PRIMARY KEY,
  "viewer" uuid NOT NULL,
  "item_key" bigint NOT NULL,
  "type" interaction_type NOT NULL,
  "retraction" boolean NOT NULL,
  "metadata" jsonb
) PARTITION BY RANGE ("id");
CREATE INDEX "interactions_viewer_id_idx" ON "interactions" ("viewer", "id");

-- Who is counted in which hour: one row per person, item, type and hour, with the minute they are counted in.
-- Reactions are not in here: their people are in "reactions".
CREATE TABLE "people" (
  "viewer" uuid NOT NULL,
  "item_key" bigint NOT NULL,
  "hour" integer NOT NULL,
  "minute" integer NOT NULL,
  "type" interaction_type NOT NULL,
  PRIMARY KEY ("hour", "item_key", "type", "viewer")
) PARTITION BY RANGE ("hour");

-- The givings and retractions themselves are interactions; this is their sum (src/interactions/reaction.ts).
CREATE TABLE "reactions" (
  "viewer" uuid NOT NULL,
  "item_key" bigint NOT NULL,
  "type" interaction_type NOT NULL,
  "since_id" uuid,
  "latest_id" uuid,
  "retracted_id" uuid,
  PRIMARY KEY ("viewer", "item_key", "type")
) WITH (fillfactor = 80);

CREATE TABLE "minutes" (
  "item_key" bigint NOT NULL,
  "minute" integer NOT NULL,
  "type" interaction_type NOT NULL,
  "events" integer NOT NULL,
  "people" integer NOT NULL,
  PRIMARY KEY ("item_key", "minute", "type")
) WITH (fillfactor = 80);
CREATE INDEX "minutes_minute_idx" ON "minutes" ("minute");

CREATE TABLE "hours" (
  "item_key" bigint NOT NULL,
  "hour" integer NOT NULL,
  "type" interaction_type NOT NULL,
  "events" integer NOT NULL,
  "people" integer NOT NULL,
  PRIMARY KEY ("item_key", "hour", "type")
) WITH (fillfactor = 80);
CREATE INDEX "hours_hour_idx" ON "hours" ("hour");

CREATE TABLE "days" (
  "item_key" bigint NOT NULL,
  "day" integer NOT NULL,
  "type" interaction_type NOT NULL,
  "events" integer NOT NULL,
  "people" integer NOT NULL,
  PRIMARY KEY ("item_key", "day", "type")
) WITH (fillfactor = 80);
CREATE INDEX "days_day_idx" ON "days" ("day");

CREATE TABLE "totals" (
  "item_key" bigint NOT NULL,
  "type" interaction_type NOT NULL,
  "events" bigint NOT NULL,
  "people" bigint NOT NULL,
  PRIMARY KEY ("item_key", "type")
) WITH (fillfactor = 80);

-- One row per recorded batch: the items whose standings are out of date.
CREATE TABLE "touched" (
  "seq" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "item_keys" bigint[] NOT NULL
);

CREATE TABLE "rankings" (
  "name" text COLLATE "C" PRIMARY KEY,
  "description" text NOT NULL,
  "weights" jsonb NOT NULL,
  "counts" ranking_counts NOT NULL,
  "window" popularity_window,
  "half_life_hours" double precision CHECK ("half_life_hours" > 0),
  "position" integer NOT NULL,
  CHECK (("window" IS NULL) <> ("half_life_hours" IS NULL))
);

-- An order by ranking, period and category ('' is all). Everything left out is at or below the waterline,
-- which is null while nothing was ever left out.
CREATE TABLE "standing_lists" (
  "id" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "ranking" text COLLATE "C" NOT NULL,
  "period" standing_period NOT NULL,
  "category" text COLLATE "C" NOT NULL,
  "ready" boolean NOT NULL DEFAULT true,
  "waterline_key" double precision,
  "waterline_item" text COLLATE "C",
  UNIQUE ("ranking", "period", "category")
);

-- sort_key: the score; for period DECAY log2 of the forward-decayed sum, whose order never changes with time.
CREATE TABLE "standings" (
  "item_key" bigint NOT NULL,
  "list_id" integer NOT NULL,
  "item_id" text COLLATE "C" NOT NULL,
  "sort_key" double precision NOT NULL,
  "people" bigint NOT NULL,
  PRIMARY KEY ("item_key", "list_id")
) WITH (fillfactor = 80);
CREATE INDEX "standings_order_idx" ON "standings" ("list_id", "sort_key" DESC, "item_id");

-- as_of: all that was recorded before it is in the standings. *_done: the newest bucket whose coming is worked in.
CREATE TABLE "standings_state" (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  "as_of" timestamptz(3) NOT NULL,
  "minute_done" integer NOT NULL,
  "hour_done" integer NOT NULL,
  "rankings_hash" text NOT NULL DEFAULT ''
);

CREATE TABLE "outbox" (
  "seq" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "body" bytea NOT NULL
);

CREATE TABLE "rejected" (
  "seq" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "body_hash" bytea NOT NULL UNIQUE,
  "body" bytea NOT NULL,
  "interaction_id" uuid,
  "viewer" uuid,
  "reason" rejection_reason NOT NULL,
  "detail" text NOT NULL,
  "rejected_at" timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX "rejected_interaction_id_idx" ON "rejected" ("interaction_id");
CREATE INDEX "rejected_viewer_idx" ON "rejected" ("viewer");

-- Tombstones: what this person sent before `erased_at` is discarded. The key keeps the hash from being guessed from outside.
CREATE TABLE "erasure_key" (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  "key" bytea NOT NULL DEFAULT (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);
INSERT INTO "erasure_key" DEFAULT VALUES;
CREATE TABLE "erasures" (
  "viewer_hash" bytea PRIMARY KEY,
  "erased_at" timestamptz(3) NOT NULL
);

-- Makes the partitions of the month that holds `at`. ATTACH, unlike PARTITION OF, lets readers and writers go on.
CREATE FUNCTION "ensure_month"(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  month_start timestamptz := date_trunc('month', at, 'UTC');
  month_end timestamptz := date_trunc('month', month_start + interval '32 days', 'UTC');
  suffix text := to_char(month_start AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
  IF to_regclass('interactions_' || suffix) IS NOT NULL AND to_regclass('people_' || suffix) IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('groundswell.partitions'));
  -- Not to_regclass again: it answers from a cache that does not yet know what the lock's last holder made.
  IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'interactions'::regclass AND c.relname = 'interactions_' || suffix) THEN
    EXECUTE format('CREATE TABLE %I (LIKE interactions INCLUDING ALL)', 'interactions_' || suffix);
    EXECUTE format('ALTER TABLE interactions ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      'interactions_' || suffix, uuid_at(month_start), uuid_at(month_end));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'people'::regclass AND c.relname = 'people_' || suffix) THEN
    EXECUTE format('CREATE TABLE %I (LIKE people INCLUDING ALL)', 'people_' || suffix);
    EXECUTE format('ALTER TABLE people ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
      'people_' || suffix, extract(epoch FROM month_start)::bigint / 3600, extract(epoch FROM month_end)::bigint / 3600);
  END IF;
END $$;

INSERT INTO "rankings" ("name", "description", "weights", "counts", "window", "half_life_hours", "position") VALUES
  ('popular', 'What most people did most with: people, weighted by how much each act says.',
   '{"VIEW": 1, "LIKE": 3, "SAVE": 4, "COMMENT": 4, "SHARE": 5, "PURCHASE": 10}', 'people', 'WEEK', NULL, 0),
  ('trending', 'Popular, but what happened a day ago counts half, two days ago a quarter, and so on.',
   '{"VIEW": 1, "LIKE": 3, "SAVE": 4, "COMMENT": 4, "SHARE": 5, "PURCHASE": 10}', 'people', NULL, 24, 1),
  ('most-liked', 'Likes that stand, by when they were given.', '{"LIKE": 1}', 'people', 'ALL_TIME', NULL, 2),
  ('most-viewed', 'Views, every one.', '{"VIEW": 1}', 'events', 'DAY', NULL, 3);
