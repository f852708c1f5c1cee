//! Sessions that end with a password, and e-mail addresses that are unique among active users alone.
//!
//! The previous version creates users with the default generation of their sessions. Its tokens carry none, which counts as
//! the first.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::integer;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The name of the constraint stays: the service maps it to the rule that a user violates.
const UNIQUE_EMAIL: &str = "CREATE UNIQUE INDEX users_email_unique ON users (tenant_id, email) WHERE active";

const POSTGRES: &str = "ALTER TABLE users DROP CONSTRAINT users_email_unique";

/// SQLite cannot drop a constraint of a table, so the table is written anew, as
/// <https://www.sqlite.org/lang_altertable.html#otheralter> describes: the references of other tables stay.
const SQLITE: &str = "
PRAGMA foreign_keys = OFF;
BEGIN IMMEDIATE;
CREATE TABLE new_users (
    tenant_id uuid_text NOT NULL,
    id uuid_text NOT NULL PRIMARY KEY,
    email varchar NOT NULL,
    password_hash varchar NOT NULL,
    role varchar NOT NULL,
    active boolean NOT NULL,
    version integer NOT NULL,
    created_at timestamp_with_timezone_text NOT NULL,
    session_generation integer NOT NULL DEFAULT 0,
    CONSTRAINT users_of_tenant_unique UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT users_role_known CHECK (role IN ('member', 'admin', 'owner'))
);
INSERT INTO new_users (tenant_id, id, email, password_hash, role, active, version, created_at)
SELECT tenant_id, id, email, password_hash, role, active, version, created_at FROM users;
DROP TABLE users;
ALTER TABLE new_users RENAME TO users;
COMMIT;
PRAGMA foreign_keys = ON;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let database = manager.get_connection();
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        if is_postgres {
            let generation = integer("session_generation").default(0).take();
            manager.alter_table(Table::alter().table("users").add_column(generation).take()).await?;
        }
        database.execute_unprepared(if is_postgres { POSTGRES } else { SQLITE }).await?;
        database.execute_unprepared(UNIQUE_EMAIL).await?;
        Ok(())
    }
}
