//! `migrate`: applies the pending database migrations.

use anyhow::Context;
use glasshouse_infra::db::{DatabaseAddress, protect_sqlite_file};
use glasshouse_migrations::{apply, connect};
use glasshouse_telemetry::service::events::process::DatabaseMigrated;

use crate::config::read_migration_address;
use crate::environment::{Reader, environment};

/// Applies the pending migrations, as the owner of the schema.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let address = read_migration_address(&mut env);
    migrate(&env.finish(address)?).await
}

/// Applies the pending migrations to the database at `address`.
pub(crate) async fn migrate(address: &DatabaseAddress) -> anyhow::Result<()> {
    if let Some(file) = address.file() {
        protect_sqlite_file(file).with_context(|| format!("cannot create {}", file.display()))?;
    }
    let database = connect(address.url()).await.context("database_connection_failed")?;
    apply(&database).await.context("a migration failed")?;
    database.close().await.context("cannot close the connection to the database")?;
    DatabaseMigrated {}.emit();
    Ok(())
}
