//! Reads the tenant of the transaction once for each statement, instead of for each row that no index has found by its tenant, such
//! as an item by its order. Postgres only: SQLite has no row-level security.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables that migrations before this one isolate, and their columns with the tenant.
const TABLES: [(&str, &str); 10] = [
    ("tenants", "id"),
    ("users", "tenant_id"),
    ("products", "tenant_id"),
    ("orders", "tenant_id"),
    ("order_items", "tenant_id"),
    ("payments", "tenant_id"),
    ("idempotency_keys", "tenant_id"),
    ("outbox_messages", "tenant_id"),
    ("idempotent_requests", "tenant_id"),
    ("password_resets", "tenant_id"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        for (table, column) in TABLES {
            // Postgres evaluates a subquery that depends on no row once.
            let sql = format!(
                "ALTER POLICY own_tenant ON {table}
                     USING ({column} = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid AS tenant))"
            );
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
