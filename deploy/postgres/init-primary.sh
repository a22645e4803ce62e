#!/bin/sh
# Roles, database and slots on an empty primary. The image runs it once (docker-entrypoint-initdb.d), with a server that only
# the socket reaches. Passwords come from the environment: on a command line everybody could read them. REPLICA_NAMES is a slot for each replica.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv database_password DATABASE_PASSWORD
\getenv api_password API_DATABASE_PASSWORD
\getenv worker_password WORKER_DATABASE_PASSWORD
\getenv replication_password REPLICATION_PASSWORD
\getenv monitor_password MONITOR_PASSWORD
\getenv replica_names REPLICA_NAMES

-- What each part may do; the migrations grant them their rights (docs/security.md).
CREATE ROLE groundswell_api;
CREATE ROLE groundswell_worker;
CREATE ROLE groundswell_migrator;
-- Who signs in: an API, a worker, and for migrations and commands the owner of the database, and of nothing else.
CREATE ROLE api LOGIN PASSWORD :'api_password' IN ROLE groundswell_api;
CREATE ROLE worker LOGIN PASSWORD :'worker_password' IN ROLE groundswell_worker;
CREATE ROLE groundswell LOGIN PASSWORD :'database_password' IN ROLE groundswell_migrator;
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication_password';
CREATE ROLE monitor LOGIN PASSWORD :'monitor_password' CONNECTION LIMIT 5;
GRANT pg_monitor TO monitor;
-- As long as a request may take: nobody waits for what takes longer.
ALTER ROLE api SET statement_timeout = '10s';
-- A scrape that takes longer is of no use.
ALTER ROLE monitor SET statement_timeout = '5s';

-- Item ids are ordered by code point.
CREATE DATABASE groundswell OWNER groundswell TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE CONNECT ON DATABASE groundswell FROM PUBLIC;
GRANT CONNECT ON DATABASE groundswell TO monitor;

-- Each keeps WAL from now on, until its replica has had it.
SELECT pg_create_physical_replication_slot(slot, true) FROM string_to_table(:'replica_names', ' ') AS slot WHERE slot <> '' \g /dev/null

\connect groundswell
CREATE EXTENSION pg_stat_statements;
SQL
