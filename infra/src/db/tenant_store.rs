//! The handle of the rows of one tenant.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;

use super::Pool;
use super::scope::Scope;
use super::transaction::{Access, TenantKey};

/// Access to the rows of one tenant, and to no other rows.
///
/// Outside this crate it comes from two sources: the [`Principal`](crate::principals::Principal) of a verified token,
/// and an item that was [`Leased`](super::Leased) for background work. Commands of the operator have a third, the
/// [`Seeder`](super::Seeder), which owns its pool.
#[derive(Clone, Debug)]
pub struct TenantStore {
    pool: Arc<Pool>,
    tenant: TenantId,
}

impl TenantStore {
    /// Opens a tenant. The caller holds a proof that it may: the claims of a verified token, a leased item, or the
    /// pool of the operator.
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

    /// Begins a read transaction, with `operation` as the name of its span.
    pub(super) async fn read(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.pool.begin(operation, Access::Read, TenantKey::Id(self.tenant)).await
    }

    /// Begins a write transaction, with `operation` as the name of its span.
    pub(super) async fn write(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.pool.begin(operation, Access::Write, TenantKey::Id(self.tenant)).await
    }
}
