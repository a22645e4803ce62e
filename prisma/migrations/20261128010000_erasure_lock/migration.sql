-- Erasing waits for the batches under way, chunk by chunk, and they for it (RECORDING_LOCK). Of a person who goes on meanwhile, a
-- batch met the row of `people` that a chunk was about to delete, and counted nobody; and a reaction given anew went with the old.

CREATE OR REPLACE FUNCTION "erase_interactions"(whose uuid, at_most integer, keep_from integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  erased integer;
BEGIN
  PERFORM pg_advisory_xact_lock(4717210);
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
  -- With the last of them, what they made: a reaction given later has interactions of its own.
  IF erased < at_most THEN
    PERFORM erase_reactions(whose, 2147483647, keep_from);
  END IF;
  RETURN erased;
END $$;

CREATE OR REPLACE FUNCTION "erase_reactions"(whose uuid, at_most integer, keep_from integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  erased integer;
BEGIN
  PERFORM pg_advisory_xact_lock(4717210);
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

-- Replacing a function takes these away from it.
DO $$
DECLARE
  signature text;
BEGIN
  FOREACH signature IN ARRAY ARRAY['erase_interactions(uuid, integer, integer)', 'erase_reactions(uuid, integer, integer)'] LOOP
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', signature, current_schema());
  END LOOP;
END $$;
