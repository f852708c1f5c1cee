-- The database and its roles. The postgres image runs this once, as superuser, when its data volume is
-- empty. A managed PostgreSQL needs the same: run it with psql, the two variables being in its environment.
--
-- Four roles, because row-level security binds neither superusers nor, unless it is forced, the owner:
--   glasshouse_owner    owns the database; `glasshouse migrate` logs in as this role, and nothing else does
--   glasshouse_service  a group that cannot log in; the migrations grant it the use of their tables
--   glasshouse_app      the API, the worker and the seeding log in as this member of the group
--   glasshouse_monitor  the exporter of Postgres' own metrics; it reads statistics and not one of our rows

\set ON_ERROR_STOP on
\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv app_password POSTGRES_APP_PASSWORD
\getenv monitor_password POSTGRES_MONITOR_PASSWORD

-- The migrations create this group where it is absent. It is created here, so that the owner does not
-- need CREATEROLE.
CREATE ROLE glasshouse_service NOLOGIN;

CREATE ROLE glasshouse_owner LOGIN PASSWORD :'owner_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;

CREATE ROLE glasshouse_app LOGIN PASSWORD :'app_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS
    IN ROLE glasshouse_service;

CREATE ROLE glasshouse_monitor LOGIN PASSWORD :'monitor_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS CONNECTION LIMIT 3
    IN ROLE pg_monitor;

CREATE DATABASE glasshouse OWNER glasshouse_owner;

-- By default every role may connect to every database and create temporary tables in it.
REVOKE ALL ON DATABASE glasshouse FROM PUBLIC;
GRANT CONNECT ON DATABASE glasshouse TO glasshouse_service, glasshouse_monitor;
