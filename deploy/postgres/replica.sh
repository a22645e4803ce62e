#!/bin/sh
# A streaming replica: clones the primary if it has no data yet, then becomes the server. Needs PRIMARY_HOST, REPLICA_NAME (its slot
# on the primary), REPLICATION_PASSWORD and PGDATA; arguments go to the server.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # Beside it, and moved when it is whole: a clone that broke off is not taken for data.
  rm -rf "$PGDATA.new"
  mkdir -p "$(dirname "$PGDATA")"
  PGPASSWORD="$REPLICATION_PASSWORD" pg_basebackup \
    --dbname "host=$PRIMARY_HOST port=5432 user=replicator application_name=$REPLICA_NAME" \
    --pgdata "$PGDATA.new" --write-recovery-conf --wal-method stream --slot "$REPLICA_NAME" --checkpoint fast
  rm -rf "$PGDATA"
  mv "$PGDATA.new" "$PGDATA"
  chmod 700 "$PGDATA"
fi
exec postgres "$@"
