//! What migrations share: the tenant's column of a table, its keys and constraints, and row-level security.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::uuid;
use sea_orm_migration::sea_orm::DbBackend;

/// Begins a table whose rows belong to a tenant.
pub(crate) fn tenant_table(table: &'static str) -> TableCreateStatement {
    let mut tenant = ForeignKey::create()
        .name(format!("{table}_tenant_fkey"))
        .from(table, "tenant_id")
        .to("tenants", "id")
        .take();
    Table::create().table(table).col(uuid("tenant_id")).foreign_key(&mut tenant).take()
}

/// A foreign key to a row of the same tenant. Foreign keys are checked without row-level security, so the tenant is
/// part of the key: a row cannot reference a row of another tenant.
pub(crate) fn tenant_foreign_key(
    name: &str,
    from: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(name).from(from, ("tenant_id", column)).to(to, ("tenant_id", "id")).take()
}

/// The key that [`tenant_foreign_key`] references.
pub(crate) fn referenced_key(name: &str) -> IndexCreateStatement {
    unique(name, &["tenant_id", "id"])
}

pub(crate) fn unique(name: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).unique().take();
    for column in columns {
        index.col(*column);
    }
    index
}

/// A CHECK that allows only these texts in a column.
pub(crate) fn one_of(
    name: &'static str,
    column: &'static str,
    texts: &[&'static str],
) -> (&'static str, Expr) {
    (name, Expr::col(column).is_in(texts.iter().copied()))
}

/// Restricts a table to the rows whose `column` equals the transaction's tenant, for reads and writes, and gives the
/// service access to them. Postgres only: SQLite has no row-level security, so nothing changes there. The migration
/// `m0012_policies_once` makes the policies of the tables before it cheaper: write those of later tables as it does.
///
/// # Errors
/// When a statement fails.
pub(crate) async fn isolate(manager: &SchemaManager<'_>, table: &str, column: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_tenant ON {table}
             USING ({column} = nullif(current_setting('app.tenant_id', true), '')::uuid);
         GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO glasshouse_service;"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Allows the service alone to call a function. Postgres only.
///
/// # Errors
/// When a statement fails.
pub(crate) async fn allow_service(manager: &SchemaManager<'_>, function: &str) -> Result<(), DbErr> {
    let sql = format!(
        "REVOKE ALL ON FUNCTION {function} FROM PUBLIC;
         GRANT EXECUTE ON FUNCTION {function} TO glasshouse_service;"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
