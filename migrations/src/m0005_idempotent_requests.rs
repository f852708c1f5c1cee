//! Idempotency keys that belong to a user instead of a whole tenant: a table with the user in its primary key.
//!
//! The previous version inserts into `idempotency_keys`, whose primary key it names, so that table stays as it is. This
//! version honors the keys in it until they have expired; a later migration drops it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{small_integer_null, string, text_null, timestamp_with_time_zone, uuid};
use sea_orm_migration::sea_orm::DbBackend;

use crate::tables::{isolate, tenant_table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const EXPIRY: &str = "
CREATE FUNCTION forget_idempotent_requests(older_than timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ DELETE FROM idempotent_requests WHERE created_at < older_than $$;
REVOKE ALL ON FUNCTION forget_idempotent_requests(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_idempotent_requests(timestamptz) TO glasshouse_service;

-- FORCE applies the policies to the owner too: see m0002_tenant_isolation.
CREATE POLICY expiry_select ON idempotent_requests FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY expiry_delete ON idempotent_requests FOR DELETE TO CURRENT_USER USING (true);
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(idempotent_requests()).await?;
        let database = manager.get_connection();
        let by_age = "CREATE INDEX idempotent_requests_by_age ON idempotent_requests (created_at)";
        database.execute_unprepared(by_age).await?;
        isolate(manager, "idempotent_requests", "tenant_id").await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            database.execute_unprepared(EXPIRY).await?;
        }
        Ok(())
    }
}

fn idempotent_requests() -> TableCreateStatement {
    let mut key =
        Index::create().name("idempotent_requests_pkey").col("tenant_id").col("user_id").col("key").take();
    tenant_table("idempotent_requests")
        .col(uuid("user_id"))
        .col(string("key"))
        .col(string("request_hash"))
        .col(uuid("subject_id"))
        .col(small_integer_null("status"))
        .col(text_null("body"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(&mut key)
        .take()
}
