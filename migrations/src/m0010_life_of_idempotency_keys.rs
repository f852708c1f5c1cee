//! No process can delete idempotency keys that are younger than an hour, whatever it believes the time to be: a key protects
//! the customer from a second charge. Postgres only: on SQLite there is one process, whose clock is the database's.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The interval is the shortest life that `GLASSHOUSE_IDEMPOTENCY_HOURS` allows.
const FUNCTIONS: &str = "
CREATE OR REPLACE FUNCTION forget_idempotent_requests(older_than timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ DELETE FROM idempotent_requests WHERE created_at < least(older_than, now() - interval '1 hour') $$;

CREATE OR REPLACE FUNCTION forget_idempotency_keys(older_than timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ DELETE FROM idempotency_keys WHERE created_at < least(older_than, now() - interval '1 hour') $$;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(FUNCTIONS).await?;
        }
        Ok(())
    }
}
