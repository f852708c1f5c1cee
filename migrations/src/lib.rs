//! The migrations of the database schema, for Postgres and SQLite.
//!
//! Migrations follow expand and contract: the previous version of the service must run on the schema of the next
//! one. A breaking change is split into two migrations, with a release between them.

mod m0001_tables;
mod m0002_tenant_isolation;
mod m0005_idempotent_requests;
mod tables;

use std::time::Duration;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DatabaseConnection};

/// The timeout of the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The timeout of a statement, which may rewrite a large table. Postgres only.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

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
        .statement_timeout(STATEMENT_TIMEOUT)
        .sqlx_logging(false)
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
            Box::new(m0005_idempotent_requests::Migration),
        ]
    }
}
