//! Queries that return one number.

use anyhow::{Context, Result};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, Value};

/// The number `n` of the only row.
///
/// # Errors
/// The query fails, or returns no row or no such column.
pub(crate) async fn number(
    connection: &DatabaseConnection,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<i64> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let row = connection.query_one_raw(statement).await?.context("no row")?;
    Ok(row.try_get("", "n")?)
}
