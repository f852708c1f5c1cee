//! The database schema, for Postgres and SQLite.
//!
//! Migrations only expand or contract: the version of the service before a migration must still run after
//! it. A change that would break it becomes two migrations with a release between them.

mod m0001_tables;
mod m0002_tenant_isolation;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Applies the migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_tables::Migration), Box::new(m0002_tenant_isolation::Migration)]
    }
}
