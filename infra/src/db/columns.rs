//! Columns of a row by their position, for queries with many rows: to look a column up by its name, and to compare its type, costs more
//! than to read it.

use std::sync::Arc;

use sea_orm::{DbErr, QueryResult, RuntimeErr, TryGetable};
use sqlx::postgres::Postgres;
use sqlx::{Decode, Row};

/// The value of the column at a position of the statement. On Postgres its type is that of the column, or another one that
/// decodes it.
pub(super) fn column<T>(row: &QueryResult, position: usize) -> Result<T, DbErr>
where
    T: TryGetable + for<'row> Decode<'row, Postgres>,
{
    match row.try_as_pg_row() {
        Some(row) => row
            .try_get_unchecked(position)
            .map_err(|error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))),
        None => row.try_get_by_index(position),
    }
}
