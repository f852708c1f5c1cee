//! The migrations of the database schema, for Postgres and SQLite.
//!
//! Migrations follow expand and contract: the previous version of the service must run on the schema of the next
//! one. A breaking change is split into two migrations, with a release between them.

mod m0001_tables;
mod m0002_tenant_isolation;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// The list of all migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_tables::Migration), Box::new(m0002_tenant_isolation::Migration)]
    }
}
