//! What a failed statement means. Glasshouse also replaces broken connections here.

use glasshouse_domain::failure::StoreFailure;
use sea_orm::DbErr;

#[derive(Clone, Debug)]
pub(super) struct Suspicion;

impl Suspicion {
    pub(super) fn failure(&self, error: DbErr) -> StoreFailure {
        StoreFailure::Unexpected(Box::new(error))
    }
}
