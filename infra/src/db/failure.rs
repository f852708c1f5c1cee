//! Converts the database's errors to those of the domain.

use glasshouse_domain::failure::StoreFailure;
use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// The domain's failure for a database error.
pub(super) fn store_failure(error: DbErr) -> StoreFailure {
    if is_transient(&error) {
        StoreFailure::Unavailable(Box::new(error))
    } else {
        StoreFailure::Unexpected(Box::new(error))
    }
}

/// Whether a retry may succeed, because the connection failed or the server was too busy.
fn is_transient(error: &DbErr) -> bool {
    if let DbErr::ConnectionAcquire(_) = error {
        return true;
    }
    match sqlx_error(error) {
        Some(SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed) => true,
        // SQLSTATE classes: 08 connection, 40 rollback by deadlock or serialization, 53 resources, 57 operator
        // intervention (a statement timeout is 57014). 25P03: the process was frozen in the middle of a transaction.
        // SQLite: 5 is SQLITE_BUSY, 6 is SQLITE_LOCKED.
        Some(SqlxError::Database(cause)) => cause.code().is_some_and(|code| {
            ["08", "40", "53", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                || matches!(code.as_ref(), "25P03" | "5" | "6" | "261" | "517")
        }),
        _ => false,
    }
}

/// Whether the connection cannot be used any more: it was closed, by the server or on the way to it.
pub(super) fn is_broken_connection(error: &DbErr) -> bool {
    match sqlx_error(error) {
        Some(SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::Protocol(_)) => true,
        // 08: the connection failed; 57P01 to 57P03: the server shuts down or terminated the session; 25P03: the session
        // was idle in a transaction for too long.
        Some(SqlxError::Database(cause)) => cause.code().is_some_and(|code| {
            code.starts_with("08") || matches!(code.as_ref(), "57P01" | "57P02" | "57P03" | "25P03")
        }),
        _ => false,
    }
}

/// The constraints that a client can violate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constraint {
    TenantSlug,
    UserEmail,
    ProductSku,
}

/// The constraint that a statement violated. Postgres reports its name, SQLite its columns.
pub(super) fn violated_constraint(error: &DbErr) -> Option<Constraint> {
    let SqlxError::Database(cause) = sqlx_error(error)? else { return None };
    let name = cause.constraint().unwrap_or_else(|| cause.message());
    match name.trim_start_matches("UNIQUE constraint failed: ") {
        "tenants_slug_unique" | "tenants.slug" => Some(Constraint::TenantSlug),
        "users_email_unique" | "users.tenant_id, users.email" => Some(Constraint::UserEmail),
        "products_sku_unique" | "products.tenant_id, products.sku" => Some(Constraint::ProductSku),
        _ => None,
    }
}

fn sqlx_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}
