//! `migrate`: applies the pending database migrations.

use anyhow::Context;
use glasshouse_migrations::{Migrator, MigratorTrait, connect};
use glasshouse_telemetry::service::events::process::DatabaseMigrated;
use secrecy::{ExposeSecret, SecretString};

use crate::config::read_migration_url;
use crate::environment::{Reader, environment};

/// Applies the pending migrations, as the owner of the schema.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let url = read_migration_url(&mut env);
    migrate(env.finish(url)?).await
}

/// Applies the pending migrations to the database at `url`.
pub(crate) async fn migrate(url: SecretString) -> anyhow::Result<()> {
    let database = connect(url.expose_secret()).await.context("database_connection_failed")?;
    Migrator::up(&database, None).await.context("a migration failed")?;
    database.close().await.context("cannot close the connection to the database")?;
    DatabaseMigrated {}.emit();
    Ok(())
}
