//! The handle of one tenant's rows.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;

use super::Pool;
use super::scope::Scope;
use super::transaction::{Access, TenantKey};

/// The rows of one tenant, and no way to any other row.
///
/// Outside this crate there are two ways to one: the [`Principal`](crate::principals::Principal) of a verified
/// token, and an item that was [`Leased`](super::Leased) for background work. The operator's commands have a
/// third, the [`Seeder`](super::Seeder), which owns its pool.
#[derive(Clone, Debug)]
pub struct TenantStore {
    pool: Arc<Pool>,
    tenant: TenantId,
}

impl TenantStore {
    /// The rows of `tenant`. The caller holds a proof that it may open this tenant: the claims of a verified
    /// token, a leased item, or the operator's own pool.
    pub(crate) const fn open(pool: Arc<Pool>, tenant: TenantId) -> Self {
        Self { pool, tenant }
    }

    /// The tenant that owns these rows.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Begins a transaction that only reads. `operation` names its span.
    pub(super) async fn read(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.pool.begin(operation, Access::Read, TenantKey::Id(self.tenant)).await
    }

    /// Begins a transaction that writes. `operation` names its span.
    pub(super) async fn write(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.pool.begin(operation, Access::Write, TenantKey::Id(self.tenant)).await
    }
}
