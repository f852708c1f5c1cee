//! The migrations of the database schema, for Postgres and SQLite.
//!
//! Migrations follow expand and contract: the previous version of the service must run on the schema of the next
//! one. A breaking change is split into two migrations, with a release between them.
//!
//! ```
//! use glasshouse_migrations::{Migrator, apply, connect};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), glasshouse_migrations::DbErr> {
//! let database = connect("sqlite::memory:").await?;
//! apply::<Migrator>(&database, None, |error| eprintln!("waiting for a lock: {error}")).await?;
//! # Ok(())
//! # }
//! ```

mod apply;
mod m0001_tables;
mod m0002_tenant_isolation;
mod m0004_background_work;
mod m0005_idempotent_requests;
mod m0006_passwords;
mod m0007_caller_authority;
mod m0008_password_resets;
mod m0009_received_stock;
mod m0010_life_of_idempotency_keys;
mod m0011_begin_scope;
mod m0012_policies_once;
mod tables;

use std::time::Duration;

pub use apply::apply;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DatabaseConnection, EntityTrait};
use sea_orm_migration::seaql_migrations::{Entity, Model};
pub use sea_orm_migration::{DbErr, MigratorTrait};

/// The last migration without which this version of the service does not work. It works with the later ones, and with those of
/// the next version: migrations only expand the schema that it uses.
pub const REQUIRED_MIGRATION: &str = "m0011_begin_scope";

/// The timeout of the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens one connection for migrations, as the role that `url` names: the owner of the schema. A SQLite file that
/// does not exist is created.
///
/// # Errors
/// When the database cannot be reached.
pub async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| postgres.extra_float_digits(None))
        .map_sqlx_sqlite_opts(|sqlite| sqlite.create_if_missing(true));
    Database::connect(options).await
}

/// The list of all migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_tables::Migration),
            Box::new(m0002_tenant_isolation::Migration),
            Box::new(m0004_background_work::Migration),
            Box::new(m0005_idempotent_requests::Migration),
            Box::new(m0006_passwords::Migration),
            Box::new(m0007_caller_authority::Migration),
            Box::new(m0008_password_resets::Migration),
            Box::new(m0009_received_stock::Migration),
            Box::new(m0010_life_of_idempotency_keys::Migration),
            Box::new(m0011_begin_scope::Migration),
            Box::new(m0012_policies_once::Migration),
        ]
    }

    /// The applied migrations. A later version of the service may have applied others, whose schema this version can use
    /// too: a release is rolled back without its schema.
    #[expect(clippy::disallowed_methods, reason = "the table belongs to no tenant")]
    async fn get_migration_models<C: ConnectionTrait>(database: &C) -> Result<Vec<Model>, DbErr> {
        Self::install(database).await?;
        let known = Self::migrations();
        let mut applied = Entity::find().all(database).await?;
        applied.retain(|model| known.iter().any(|migration| migration.name() == model.version));
        Ok(applied)
    }
}
