//! `migrate`: brings the database's schema up to date.

use std::time::Duration;

use anyhow::Context;
use glasshouse_infra::db::{Database, DatabaseSettings};
use glasshouse_migrations::{Migrator, MigratorTrait};
use glasshouse_telemetry::metrics::{Metrics, MetricsSettings};
use secrecy::SecretString;

use crate::config::{Reader, StorageConfig, environment};

/// Applies all migrations that are missing, as the owner of the database.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let url = StorageConfig::read_migration_url(&mut env);
    migrate(env.finish(url)?).await
}

/// Applies all migrations that are missing to the database at `url`.
pub(crate) async fn migrate(url: SecretString) -> anyhow::Result<()> {
    let settings = DatabaseSettings {
        url,
        pool_size: 1,
        acquire_timeout: Duration::from_secs(10),
        // A migration may rewrite a large table.
        statement_timeout: Duration::from_secs(3600),
        slow_query: Duration::from_secs(3600),
        reconcile_after: Duration::ZERO,
    };
    let database = Database::connect(&settings, &Metrics::new(MetricsSettings::default())?)
        .await
        .context("database_connection_failed")?;
    Migrator::up(database.connection(), None).await.context("a migration failed")?;
    database.close().await;
    tracing::info!("database_migrated");
    Ok(())
}
