//! Authentication: a verified token names a user, and this finds what that user may do now.
//!
//! Every request asks, so the answer is cached for a short while. A change of a user forgets the entry, so
//! that a deactivated user is refused at once, not when the token expires.

use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::user::Role;
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::db::{Database, Pool, TenantStore};
use crate::tokens::Claims;
use glasshouse_telemetry::events::cache::{CacheFailed, CacheHit, CacheMiss};
use glasshouse_telemetry::metrics::CacheMetrics;

/// An authenticated user, with the rows of their tenant. Only [`Principals::find`] makes one.
#[derive(Clone, Debug)]
pub struct Principal {
    user: UserId,
    authority: Authority,
    store: TenantStore,
}

/// What a user may do; the part of a [`Principal`] that is cached. The cache says nothing of the tenant: that is
/// the token's alone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Authority {
    role: Role,
    plan: Plan,
}

impl Principal {
    /// The user.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The user's tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.store.tenant_id()
    }

    /// What the user may do.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.authority.role
    }

    /// The plan of the user's tenant.
    #[must_use]
    pub const fn plan(&self) -> Plan {
        self.authority.plan
    }

    /// The rows of the user's tenant.
    #[must_use]
    pub const fn store(&self) -> &TenantStore {
        &self.store
    }
}

/// Finds principals, in the cache first.
#[derive(Clone, Debug)]
pub struct Principals {
    pool: Arc<Pool>,
    cache: Cache,
    metrics: CacheMetrics,
}

/// The cache's name in metrics and log records.
const CACHE: &str = "principals";

/// The longest that a change made past this service (by hand, in the database) goes unnoticed.
const LIFE: Duration = Duration::from_secs(30);

impl Principals {
    /// Looks in `cache`, then in `database`.
    #[must_use]
    pub fn new(database: &Database, cache: Cache, metrics: CacheMetrics) -> Self {
        metrics.watch(CACHE);
        Self { pool: database.pool(), cache, metrics }
    }

    /// The principal of a verified token; `None` if the user does not exist or is deactivated.
    ///
    /// # Errors
    /// When the database fails. A cache that fails is the same as an empty one.
    pub async fn find(&self, claims: &Claims) -> Result<Option<Principal>, StoreFailure> {
        let (user, store) = (claims.user(), TenantStore::open(self.pool.clone(), claims.tenant()));
        let authority = match self.cached(&key(&store, user)).await {
            Some(authority) => Some(authority),
            None => self.stored(&store, user).await?,
        };
        Ok(authority.map(|authority| Principal { user, authority, store }))
    }

    async fn cached(&self, key: &str) -> Option<Authority> {
        match self.cache.get::<Authority>(key).await {
            Ok(Some(authority)) => {
                CacheHit { cache: CACHE }.emit(&self.metrics);
                return Some(authority);
            }
            Ok(None) => CacheMiss { cache: CACHE }.emit(&self.metrics),
            Err(error) => {
                CacheFailed { cache: CACHE, error: &error, is_lookup: true }.emit(&self.metrics);
            }
        }
        None
    }

    /// Asks the database, and caches the answer.
    async fn stored(&self, store: &TenantStore, user: UserId) -> Result<Option<Authority>, StoreFailure> {
        let found = store.user_and_plan(user).await?;
        let Some((user, plan)) = found.filter(|(user, _)| user.active) else { return Ok(None) };
        let authority = Authority { role: user.role, plan };
        if let Err(error) = self.cache.set(&key(store, user.id), &authority, LIFE).await {
            CacheFailed { cache: CACHE, error: &error, is_lookup: false }.emit(&self.metrics);
        }
        Ok(Some(authority))
    }

    /// Makes the next request of this user ask the database. To be called after every change of a user.
    pub async fn forget(&self, store: &TenantStore, user: UserId) {
        if let Err(error) = self.cache.forget(&key(store, user)).await {
            CacheFailed { cache: CACHE, error: &error, is_lookup: false }.emit(&self.metrics);
        }
    }
}

fn key(store: &TenantStore, user: UserId) -> String {
    format!("glasshouse:principal:{}:{user}", store.tenant_id())
}
