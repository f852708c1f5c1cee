//! Converts the database's errors to those of the domain.

use glasshouse_domain::failure::StoreFailure;
use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// The failure behind an error of the database.
pub(super) fn store_failure(error: DbErr) -> StoreFailure {
    if is_temporary(&error) {
        StoreFailure::Unavailable(Box::new(error))
    } else {
        StoreFailure::Unexpected(Box::new(error))
    }
}

/// Whether the same statement may succeed later: there was no connection, or the server was too busy.
fn is_temporary(error: &DbErr) -> bool {
    if let DbErr::ConnectionAcquire(_) = error {
        return true;
    }
    match sqlx_error(error) {
        Some(SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed) => true,
        // SQLSTATE classes: 08 connection, 40 rollback by deadlock or serialisation, 53 resources, 57 operator
        // intervention (a statement time-out is 57014). SQLite: 5 is SQLITE_BUSY, 6 is SQLITE_LOCKED.
        Some(SqlxError::Database(cause)) => cause.code().is_some_and(|code| {
            ["08", "40", "53", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                || matches!(code.as_ref(), "5" | "6" | "261" | "517")
        }),
        _ => false,
    }
}

/// The constraints that stand for a rule which a client can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constraint {
    TenantSlug,
    UserEmail,
    ProductSku,
}

/// Which of them a statement broke. Postgres names the constraint, SQLite its columns.
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
