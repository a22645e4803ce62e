-- Who may do what (docs/security.md), and since when a process can work on this schema (docs/upgrading.md).

-- The newest migration that a process must know to work on this schema. One that takes away what older versions use raises it.
CREATE TABLE "schema_floor" (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  "migration" text COLLATE "C" NOT NULL
);
INSERT INTO "schema_floor" ("migration") VALUES ('20261101000000_init');

-- What a worker does to tables that it does not own.
CREATE FUNCTION "drop_month"(month text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF month !~ '^[0-9]{6}$' THEN
    RAISE EXCEPTION 'not a month: %', month;
  END IF;
  EXECUTE format('DROP TABLE IF EXISTS %I', 'interactions_' || month);
  EXECUTE format('DROP TABLE IF EXISTS %I', 'people_' || month);
END $$;

-- What an API does when it erases a person: it may not delete rows otherwise. First the tombstone: waits for the batches under
-- way (RECORDING_LOCK); every later one sees it.
CREATE FUNCTION "erase_begin"(whose uuid) RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(4717210);
  INSERT INTO erasures (viewer_hash, erased_at)
  SELECT sha256(key || uuid_send(whose)), clock_timestamp() FROM erasure_key
  ON CONFLICT (viewer_hash) DO UPDATE SET erased_at = excluded.erased_at
$$;

-- Adds to the rollups as recording does, in the same order of tables and keys, so that the two never deadlock.
CREATE FUNCTION "add_shares"(
  keys bigint[], types interaction_type[], minutes integer[], events integer[], people integer[], keep_from integer
) RETURNS void LANGUAGE sql AS $$
  WITH shares AS MATERIALIZED (
    SELECT item_key, type, minute, sum(events)::integer AS events, sum(people)::integer AS people
    FROM unnest($1, $2, $3, $4, $5) AS share (item_key, type, minute, events, people)
    GROUP BY item_key, type, minute
  ),
  to_minutes AS (
    INSERT INTO minutes (item_key, minute, type, events, people)
    SELECT item_key, minute, type, events, people FROM shares
    WHERE minute >= $6 AND (events <> 0 OR people <> 0)
    ORDER BY item_key, minute, type
    ON CONFLICT (item_key, minute, type)
    DO UPDATE SET events = minutes.events + excluded.events, people = minutes.people + excluded.people
  ),
  to_hours AS (
    INSERT INTO hours (item_key, hour, type, events, people)
    SELECT item_key, minute / 60, type, sum(events), sum(people) FROM shares
    GROUP BY item_key, minute / 60, type
    ORDER BY item_key, minute / 60, type
    ON CONFLICT (item_key, hour, type)
    DO UPDATE SET events = hours.events + excluded.events, people = hours.people + excluded.people
  ),
  to_days AS (
    INSERT INTO days (item_key, day, type, events, people)
    SELECT item_key, minute / 1440, type, sum(events), sum(people) FROM shares
    GROUP BY item_key, minute / 1440, type
    ORDER BY item_key, minute / 1440, type
    ON CONFLICT (item_key, day, type)
    DO UPDATE SET events = days.events + excluded.events, people = days.people + excluded.people
  ),
  to_totals AS (
    INSERT INTO totals (item_key, type, events, people)
    SELECT item_key, type, sum(events), sum(people) FROM shares
    GROUP BY item_key, type
    ORDER BY item_key, type
    ON CONFLICT (item_key, type)
    DO UPDATE SET events = totals.events + excluded.events, people = totals.people + excluded.people
  )
  INSERT INTO touched (item_keys) SELECT array_agg(DISTINCT item_key) FROM shares HAVING count(*) > 0
$$;

-- The oldest rows of a person, and the hours they were counted in, out of the rollups. How many rows they were; fewer than
-- `at_most`: the last.
CREATE FUNCTION "erase_interactions"(whose uuid, at_most integer, keep_from integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  erased integer;
BEGIN
  WITH gone AS (
    DELETE FROM interactions WHERE id IN (
      SELECT id FROM interactions WHERE viewer = whose ORDER BY id LIMIT at_most FOR UPDATE
    ) RETURNING item_key, type, uuid_minute(id) AS minute
  ),
  happened AS (SELECT * FROM gone WHERE type NOT IN ('LIKE', 'SAVE')),
  uncounted AS (
    DELETE FROM people p USING (SELECT DISTINCT minute / 60 AS hour, item_key, type FROM happened) h
    WHERE p.hour = h.hour AND p.item_key = h.item_key AND p.type = h.type AND p.viewer = whose
    RETURNING p.item_key, p.type, p.minute
  ),
  shares AS (
    SELECT item_key, type, minute, -1 AS events, 0 AS people FROM happened
    UNION ALL SELECT item_key, type, minute, 0, -1 FROM uncounted
  ),
  added AS MATERIALIZED (
    SELECT add_shares(array_agg(item_key), array_agg(type), array_agg(minute), array_agg(events), array_agg(people), keep_from)
    FROM shares
  )
  SELECT count(*) INTO erased FROM gone WHERE EXISTS (SELECT FROM added);
  RETURN erased;
END $$;

CREATE FUNCTION "erase_reactions"(whose uuid, at_most integer, keep_from integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  erased integer;
BEGIN
  WITH gone AS (
    DELETE FROM reactions WHERE (viewer, item_key, type) IN (
      SELECT viewer, item_key, type FROM reactions WHERE viewer = whose ORDER BY item_key, type LIMIT at_most FOR UPDATE
    ) RETURNING item_key, type, since_id
  ),
  stood AS (SELECT item_key, type, uuid_minute(since_id) AS minute FROM gone WHERE since_id IS NOT NULL),
  added AS MATERIALIZED (
    SELECT add_shares(array_agg(item_key), array_agg(type), array_agg(minute), array_agg(-1), array_agg(-1), keep_from)
    FROM stood
  )
  SELECT count(*) INTO erased FROM gone WHERE EXISTS (SELECT FROM added);
  RETURN erased;
END $$;

-- A body that could not be read as an interaction has no viewer of its own, but may name one.
CREATE FUNCTION "erase_rejected"(whose uuid) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  erased integer;
BEGIN
  DELETE FROM rejected
  WHERE viewer = whose OR (viewer IS NULL AND position(convert_to(whose::text, 'UTF8') IN body) > 0);
  GET DIAGNOSTICS erased = ROW_COUNT;
  RETURN erased;
END $$;

-- By their owner's rights, whoever calls them; pg_temp last, or a caller's temporary table would be taken for one of ours.
DO $$
DECLARE
  signature text;
BEGIN
  FOREACH signature IN ARRAY ARRAY['ensure_month(timestamptz)', 'drop_month(text)', 'erase_begin(uuid)',
    'erase_interactions(uuid, integer, integer)', 'erase_reactions(uuid, integer, integer)', 'erase_rejected(uuid)']
  LOOP
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', signature, current_schema());
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', signature);
  END LOOP;
END $$;

-- The one list of who may do what: grant_rights grants by it, and `npm run doctor` looks whether it is so.
CREATE FUNCTION "wanted_rights"() RETURNS TABLE (role text, kind text, "right" text, objects text[])
LANGUAGE sql IMMUTABLE AS $$
  VALUES
    ('groundswell_api', 'TABLE', 'SELECT', ARRAY['_prisma_migrations', 'catalogue_state', 'days', 'hours', 'interactions', 'items',
      'minutes', 'rankings', 'reactions', 'rejected', 'schema_floor', 'standing_lists', 'standings', 'standings_state', 'totals']),
    ('groundswell_api', 'TABLE', 'INSERT', ARRAY['items', 'outbox', 'touched']),
    ('groundswell_api', 'TABLE', 'UPDATE', ARRAY['catalogue_state', 'items']),
    ('groundswell_api', 'FUNCTION', 'EXECUTE', ARRAY['erase_begin(uuid)', 'erase_interactions(uuid, integer, integer)',
      'erase_reactions(uuid, integer, integer)', 'erase_rejected(uuid)']),
    ('groundswell_worker', 'TABLE', 'SELECT', ARRAY['_prisma_migrations', 'days', 'erasure_key', 'erasures', 'hours',
      'interactions', 'items', 'minutes', 'outbox', 'people', 'rankings', 'reactions', 'rejected', 'schema_floor',
      'standing_lists', 'standings', 'standings_state', 'totals', 'touched']),
    ('groundswell_worker', 'TABLE', 'INSERT', ARRAY['days', 'hours', 'interactions', 'minutes', 'outbox', 'people', 'reactions',
      'rejected', 'standing_lists', 'standings', 'standings_state', 'totals', 'touched']),
    -- That of the outbox and of minutes is for locking rows.
    ('groundswell_worker', 'TABLE', 'UPDATE', ARRAY['days', 'hours', 'minutes', 'outbox', 'reactions', 'standing_lists',
      'standings', 'standings_state', 'totals']),
    ('groundswell_worker', 'TABLE', 'DELETE', ARRAY['minutes', 'outbox', 'reactions', 'rejected', 'standing_lists', 'standings',
      'touched']),
    ('groundswell_worker', 'FUNCTION', 'EXECUTE', ARRAY['ensure_month(timestamptz)', 'drop_month(text)'])
$$;

-- Makes the three roles where the one who migrates may, gives each its rights and takes from it any other, and hands what we own
-- to groundswell_migrator. Roles that are not there and may not be made are answered; `npm run migrate` calls this each time, so
-- that it is enough to make them later. Login roles are an operator's: GRANT groundswell_api TO ...
CREATE FUNCTION "grant_rights"() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  place text := current_schema();
  missing text[] := '{}';
  role_name text;
  object text;
  wanted record;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['groundswell_api', 'groundswell_worker', 'groundswell_migrator'] LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role_name);
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    EXCEPTION
      -- Another database of this server has just been migrated.
      WHEN duplicate_object OR unique_violation THEN NULL;
      WHEN insufficient_privilege THEN missing := missing || role_name;
    END;
  END LOOP;

  FOR role_name IN SELECT DISTINCT w.role FROM wanted_rights() w WHERE w.role <> ALL (missing) LOOP
    IF NOT has_database_privilege(role_name, current_database(), 'CONNECT') THEN
      EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END IF;
    IF NOT has_schema_privilege(role_name, place, 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', place, role_name);
    END IF;
    FOR object IN SELECT DISTINCT unnest(w.objects) FROM wanted_rights() w WHERE w.kind = 'TABLE' LOOP
      CONTINUE WHEN to_regclass(quote_ident(object)) IS NULL;
      EXECUTE format('REVOKE ALL ON TABLE %I FROM %I', object, role_name);
    END LOOP;
  END LOOP;
  FOR wanted IN SELECT w.role, w.kind, w."right", unnest(w.objects) AS object FROM wanted_rights() w WHERE w.role <> ALL (missing) LOOP
    -- A migration tool of another kind keeps its list elsewhere.
    CONTINUE WHEN wanted.kind = 'TABLE' AND to_regclass(quote_ident(wanted.object)) IS NULL;
    EXECUTE format('GRANT %s ON %s %s TO %I', wanted."right", wanted.kind,
      CASE WHEN wanted.kind = 'TABLE' THEN quote_ident(wanted.object) ELSE wanted.object END, wanted.role);
  END LOOP;

  IF 'groundswell_migrator' = ANY (missing) THEN
    RETURN missing;
  END IF;
  BEGIN
    IF NOT pg_has_role('groundswell_migrator', 'USAGE') THEN
      EXECUTE format('GRANT groundswell_migrator TO %I', current_user);
    END IF;
    IF NOT has_schema_privilege('groundswell_migrator', place, 'CREATE') THEN
      EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO groundswell_migrator', place);
    END IF;
    IF NOT has_database_privilege('groundswell_migrator', current_database(), 'CONNECT') THEN
      EXECUTE format('GRANT CONNECT ON DATABASE %I TO groundswell_migrator', current_database());
    END IF;
  EXCEPTION WHEN insufficient_privilege THEN
    RETURN missing || 'groundswell_migrator'::text;
  END;
  FOR object IN
    SELECT format('TABLE %s', c.oid::regclass) FROM pg_class c
    WHERE c.relnamespace = place::regnamespace AND c.relkind IN ('r', 'p') AND c.relowner = current_user::regrole
    UNION ALL SELECT format('FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
    WHERE p.pronamespace = place::regnamespace AND p.proowner = current_user::regrole
    UNION ALL SELECT format('TYPE %s', t.oid::regtype) FROM pg_type t
    WHERE t.typnamespace = place::regnamespace AND t.typtype = 'e' AND t.typowner = current_user::regrole
  LOOP
    EXECUTE format('ALTER %s OWNER TO groundswell_migrator', object);
  END LOOP;
  RETURN missing;
END $$;

SELECT grant_rights();
