//! `migrate`: applies the pending database migrations.

use anyhow::Context;
use glasshouse_infra::db::{DatabaseAddress, protect_sqlite_file};
use glasshouse_migrations::{DbErr, Migrator, MigratorTrait, apply, connect};
use glasshouse_telemetry::service::events::process::{DatabaseMigrated, DatabaseMigrationBlocked};

use crate::config::read_migration_address;
use crate::environment::{Reader, environment};

/// How far to migrate.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// The last migration to apply, such as `m0009_received_stock`. Without it, all are applied. Nothing is undone.
    #[arg(long, value_name = "MIGRATION", value_parser = known_migration)]
    to: Option<String>,
}

fn known_migration(name: &str) -> Result<String, String> {
    let known: Vec<_> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    if known.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(format!("must be one of {}", known.join(", ")))
}

/// Applies the pending migrations, as the owner of the schema.
pub(crate) async fn run(args: MigrateArgs) -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let address = read_migration_address(&mut env);
    migrate(&env.finish(address)?, args.to.as_deref()).await
}

/// Applies the pending migrations to the database at `address`, up to and including `last`.
pub(crate) async fn migrate(address: &DatabaseAddress, last: Option<&str>) -> anyhow::Result<()> {
    if let Some(file) = address.file() {
        protect_sqlite_file(file).with_context(|| format!("cannot create {}", file.display()))?;
    }
    let database = connect(address.url()).await.context("database_connection_failed")?;
    let report = |error: &DbErr| DatabaseMigrationBlocked { error: &error.to_string() }.emit();
    apply::<Migrator>(&database, last, report).await.context("a migration failed")?;
    database.close().await.context("cannot close the connection to the database")?;
    DatabaseMigrated {}.emit();
    Ok(())
}
