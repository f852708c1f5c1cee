//! Converts the database's errors to those of the domain.

use glasshouse_domain::failure::StoreFailure;
use sea_orm::{DbErr, RuntimeErr, SqlxError};

use super::meaning::Meaning;

/// The domain's failure for a database error.
pub(super) fn store_failure(error: DbErr) -> StoreFailure {
    if Meaning::of(&error).is_temporary() {
        StoreFailure::Unavailable(Box::new(error))
    } else {
        StoreFailure::Unexpected(Box::new(error))
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
    if Meaning::of(error) != Meaning::Conflict {
        return None;
    }
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    let SqlxError::Database(cause) = &**cause else { return None };
    let name = cause.constraint().unwrap_or_else(|| cause.message());
    match name.trim_start_matches("UNIQUE constraint failed: ") {
        "tenants_slug_unique" | "tenants.slug" => Some(Constraint::TenantSlug),
        "users_email_unique" | "users.tenant_id, users.email" => Some(Constraint::UserEmail),
        "products_sku_unique" | "products.tenant_id, products.sku" => Some(Constraint::ProductSku),
        _ => None,
    }
}
