//! The handle of the rows of one tenant.

use std::error::Error;
use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;

use super::Pool;
use super::caller_check::CallerCheck;
use super::read::Read;
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
    /// The caller of a request, whom the first transaction checks. Clones share it.
    caller: Option<Arc<CallerCheck>>,
}

impl TenantStore {
    /// Opens a tenant. The caller holds a proof that it may: the claims of a verified token, a leased item, or the
    /// pool of the operator.
    pub(crate) const fn open(pool: Arc<Pool>, tenant: TenantId) -> Self {
        Self { pool, tenant, caller: None }
    }

    /// Opens the tenant of a caller. The first transaction fails if the caller has lost the authority that `caller`
    /// assumes.
    pub(crate) fn open_for(pool: Arc<Pool>, tenant: TenantId, caller: CallerCheck) -> Self {
        Self { pool, tenant, caller: Some(Arc::new(caller)) }
    }

    /// Whether a transaction found that the caller has lost the assumed authority.
    pub(crate) fn is_authority_lost(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.is_refused())
    }

    /// The tenant that owns these rows.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// A read of one statement, with `operation` as the name of its span.
    pub(super) fn read(&self, operation: &'static str) -> Read<'_> {
        Read::new(&self.pool, operation, self.tenant, self.unconfirmed_caller())
    }

    /// Begins a transaction that only reads, with `operation` as the name of its span.
    pub(super) async fn begin_read(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.begin(operation, Access::Read).await
    }

    /// Begins a write transaction, with `operation` as the name of its span.
    pub(super) async fn write(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.begin(operation, Access::Write).await
    }

    /// Runs a whole transaction, and repeats it if the database rolled it back: see [`Pool::repeated`].
    pub(super) async fn repeated<T, E, F>(&self, transaction: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: Error + 'static,
    {
        self.pool.repeated(transaction).await
    }

    async fn begin(&self, operation: &'static str, access: Access) -> Result<Scope, StoreFailure> {
        let Some(caller) = self.unconfirmed_caller() else {
            return self.pool.begin(operation, access, TenantKey::Id(self.tenant)).await;
        };
        let (scope, current) = self.pool.begin_as(operation, access, (self.tenant, caller.user())).await?;
        caller.decide(current)?;
        Ok(scope)
    }

    /// The caller, until a transaction has confirmed their authority.
    fn unconfirmed_caller(&self) -> Option<&CallerCheck> {
        self.caller.as_deref().filter(|caller| !caller.is_confirmed())
    }
}
