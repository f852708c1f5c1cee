-- Creates the database and its roles. The postgres image runs this once, as superuser, when its data volume is empty.
-- For a managed Postgres run it with psql, with the three passwords in the environment.
--
-- Four roles, because row-level security binds neither superusers nor, unless it is forced, the owner:
--   glasshouse_owner    owns the database; `glasshouse migrate` logs in as this role, and nothing else does
--   glasshouse_service  a group that cannot log in; the migrations grant it access to their tables
--   glasshouse_app      the API, the worker and `glasshouse seed` log in as this member of the group
--   glasshouse_monitor  the Postgres exporter; it can read statistics and no rows of the service

\set ON_ERROR_STOP on
\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv app_password POSTGRES_APP_PASSWORD
\getenv monitor_password POSTGRES_MONITOR_PASSWORD

-- The migrations create this group if it is missing. It is created here so that the owner does not need CREATEROLE.
CREATE ROLE glasshouse_service NOLOGIN;

CREATE ROLE glasshouse_owner LOGIN PASSWORD :'owner_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;

CREATE ROLE glasshouse_app LOGIN PASSWORD :'app_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS
    IN ROLE glasshouse_service;

-- For reads of one statement behind a pooler, which rejects these parameters of a session. All other transactions set both themselves.
ALTER ROLE glasshouse_app SET statement_timeout = '5s';
ALTER ROLE glasshouse_app SET plan_cache_mode = 'force_generic_plan';

-- The server ends a session whose client is gone without a word (a firewall, a machine without power), and with it the
-- locks of its transaction: within seconds in a transaction, and within half a minute while the session is idle or sends.
-- They are defaults of the role, because poolers such as PgBouncer reject them as parameters of a session.
ALTER ROLE glasshouse_app SET idle_in_transaction_session_timeout = '3s';
ALTER ROLE glasshouse_app SET client_connection_check_interval = '2s';
ALTER ROLE glasshouse_app SET tcp_keepalives_idle = '10s';
ALTER ROLE glasshouse_app SET tcp_keepalives_interval = '5s';
ALTER ROLE glasshouse_app SET tcp_keepalives_count = 3;
ALTER ROLE glasshouse_app SET tcp_user_timeout = '15s';

CREATE ROLE glasshouse_monitor LOGIN PASSWORD :'monitor_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS CONNECTION LIMIT 3
    IN ROLE pg_monitor;

CREATE DATABASE glasshouse OWNER glasshouse_owner;

-- By default every role may connect to every database and create temporary tables in it.
REVOKE ALL ON DATABASE glasshouse FROM PUBLIC;
GRANT CONNECT ON DATABASE glasshouse TO glasshouse_service, glasshouse_monitor;

-- Time and calls of each query, for the dashboard of the database. docker-compose.yml preloads the library.
\connect glasshouse
CREATE EXTENSION pg_stat_statements;
