-- An API looks at what is yet to be rescored, for those who ask to have their own writes included.

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

SELECT grant_rights();
