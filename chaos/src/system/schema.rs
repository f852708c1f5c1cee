//! The schema of the system's database, which changes while the system runs.

use std::time::Duration;

use anyhow::Result;
use glasshouse_migrations::{Migrator, MigratorTrait, apply, connect};
use sea_orm::ConnectionTrait;
use sea_orm_migration::prelude::*;

use super::{Postgres, System};
use crate::query::number;

/// The migrations of this version and of the next one.
struct NextVersion;

/// What the next version of the service might add to tables that are in use. None of it may break this version.
struct NextMigration;

const NEXT: &str = "
    ALTER TABLE products ADD COLUMN color varchar;
    ALTER TABLE orders ADD COLUMN channel varchar NOT NULL DEFAULT 'web';
    ALTER TABLE payments ADD COLUMN fee_minor bigint;
    CREATE INDEX payments_by_fee ON payments (fee_minor);
    CREATE TABLE vouchers (tenant_id uuid NOT NULL REFERENCES tenants (id), id uuid PRIMARY KEY);
    ALTER TABLE vouchers ENABLE ROW LEVEL SECURITY;
    ALTER TABLE vouchers FORCE ROW LEVEL SECURITY;
    CREATE POLICY own_tenant ON vouchers
        USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
    GRANT SELECT, INSERT, UPDATE, DELETE ON vouchers TO glasshouse_service;";

impl MigrationName for NextMigration {
    fn name(&self) -> &'static str {
        "m9999_vouchers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for NextMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(NEXT).await.map(drop)
    }
}

impl MigratorTrait for NextVersion {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = Migrator::migrations();
        migrations.push(Box::new(NextMigration));
        migrations
    }
}

impl System {
    /// Applies the migrations of this version with its binary. Returns whether some were pending.
    ///
    /// # Errors
    /// A migration fails.
    pub(crate) async fn migrate(&self) -> Result<bool> {
        let before = applied(&self.postgres).await?;
        super::migrate(&self.postgres, &self.binary, &[]).await?;
        Ok(applied(&self.postgres).await? > before)
    }

    /// Applies a migration of the next version too, as its binary would. Returns whether it had to wait for a lock.
    ///
    /// # Errors
    /// A migration fails.
    pub(crate) async fn migrate_to_next_version(&self) -> Result<bool> {
        let (owner, mut has_waited) = (connect(&self.postgres.owner_url()).await?, false);
        apply::<NextVersion>(&owner, None, |_| has_waited = true).await?;
        owner.close().await?;
        Ok(has_waited)
    }
}

async fn applied(postgres: &Postgres) -> Result<i64> {
    let superuser = postgres.superuser().await?;
    let count = number(&superuser, "SELECT count(*) AS n FROM seaql_migrations", []).await?;
    superuser.close().await?;
    Ok(count)
}

impl Postgres {
    /// Reads tables in one transaction for this long, as a report does. A migration that changes them must wait.
    ///
    /// # Errors
    /// The server fails.
    pub(crate) async fn read_for(&self, duration: Duration) -> Result<()> {
        let lock = "LOCK TABLE products, orders, payments IN ACCESS SHARE MODE";
        let seconds = duration.as_secs_f64();
        self.execute(&[&format!("BEGIN; {lock}; SELECT pg_sleep({seconds}); COMMIT")]).await
    }
}
