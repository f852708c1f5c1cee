//! Password resets: the hashes of the tokens with which users may set a new password, never the tokens.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, string, timestamp_with_time_zone, uuid};
use sea_orm_migration::sea_orm::DbBackend;

use crate::tables::{allow_service, isolate, tenant_foreign_key, tenant_table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const EXPIRY: &str = "
CREATE FUNCTION forget_password_resets(expired_before timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ DELETE FROM password_resets WHERE expires_at < expired_before $$;

-- FORCE applies the policies to the owner too: see m0002_tenant_isolation.
CREATE POLICY expiry_select ON password_resets FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY expiry_delete ON password_resets FOR DELETE TO CURRENT_USER USING (true);
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(password_resets()).await?;
        let database = manager.get_connection();
        let by_expiry = "CREATE INDEX password_resets_by_expiry ON password_resets (expires_at)";
        database.execute_unprepared(by_expiry).await?;
        isolate(manager, "password_resets", "tenant_id").await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            database.execute_unprepared(EXPIRY).await?;
            allow_service(manager, "forget_password_resets(timestamptz)").await?;
        }
        Ok(())
    }
}

fn password_resets() -> TableCreateStatement {
    let mut key = Index::create().name("password_resets_pkey").col("tenant_id").col("token_hash").take();
    let mut user = tenant_foreign_key("password_resets_user_fkey", "password_resets", "user_id", "users");
    tenant_table("password_resets")
        .col(string("token_hash"))
        .col(uuid("user_id"))
        .col(integer("session_generation"))
        .col(timestamp_with_time_zone("expires_at"))
        .primary_key(&mut key)
        .foreign_key(&mut user)
        .take()
}
