//! `migrate`: applies the pending database migrations.

use std::time::Duration;

use anyhow::Context;
use glasshouse_infra::db::{Database, DatabaseSettings};
use glasshouse_migrations::{Migrator, MigratorTrait};
use glasshouse_telemetry::metrics::{Metrics, MetricsSettings};
use secrecy::SecretString;

use crate::config::{Reader, environment, read_migration_url};

/// Applies the pending migrations, as the owner of the schema.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let url = read_migration_url(&mut env);
    migrate(env.finish(url)?).await
}

/// Applies the pending migrations to the database at `url`.
pub(crate) async fn migrate(url: SecretString) -> anyhow::Result<()> {
    let settings = DatabaseSettings {
        url,
        pool_size: 1,
        acquire_timeout: Duration::from_secs(10),
        // A migration may rewrite a large table, which takes long.
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
