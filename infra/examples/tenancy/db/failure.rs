//! The constraints of business rules. This service has none.

use sea_orm::DbErr;

pub(super) enum Constraint {}

pub(super) fn violated_constraint(_error: &DbErr) -> Option<Constraint> {
    None
}
