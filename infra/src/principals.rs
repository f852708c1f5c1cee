//! Authentication: looks up the current role and plan of the user that a verified token names.
//!
//! Every request needs them, so they are cached for a short time. A change of a user invalidates the entry: a
//! deactivated user is rejected by the next request, not when the token expires.

use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::user::{Role, SessionGeneration};
use serde::{Deserialize, Serialize};

use crate::attempts::InactiveUsers;
use crate::cache::Cache;
use crate::db::{Database, Pool, TenantStore};
use crate::tokens::Claims;
use glasshouse_telemetry::service::events::cache::{CacheFailed, CacheHit, CacheMiss};
use glasshouse_telemetry::service::metrics::CacheMetrics;

/// An authenticated user with access to the rows of their tenant. Only [`Principals::find`] creates one.
#[derive(Clone, Debug)]
pub struct Principal {
    user: UserId,
    authority: Authority,
    store: TenantStore,
}

/// The cached part of a [`Principal`]. It does not contain the tenant, which comes from the token alone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Authority {
    role: Role,
    plan: Plan,
    sessions: SessionGeneration,
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

    /// The user's current role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.authority.role
    }

    /// The plan of the user's tenant.
    #[must_use]
    pub const fn plan(&self) -> Plan {
        self.authority.plan
    }

    /// The current generation of the user's sessions.
    #[must_use]
    pub const fn sessions(&self) -> SessionGeneration {
        self.authority.sessions
    }

    /// The rows of the user's tenant.
    #[must_use]
    pub const fn store(&self) -> &TenantStore {
        &self.store
    }
}

/// Looks up principals, in the cache first.
#[derive(Clone, Debug)]
pub struct Principals {
    pool: Arc<Pool>,
    cache: Cache,
    metrics: CacheMetrics,
    inactive_users: InactiveUsers,
}

/// The cache's name in metrics and log records.
const CACHE: &str = "principals";

/// The time after which a change made directly in the database takes effect at the latest.
const TIME_TO_LIVE: Duration = Duration::from_secs(30);

impl Principals {
    /// Looks up principals in `cache`, then in `database`.
    #[must_use]
    pub fn new(database: &Database, cache: Cache, metrics: CacheMetrics) -> Self {
        metrics.watch(CACHE);
        Self { pool: database.pool(), cache, metrics, inactive_users: InactiveUsers::default() }
    }

    /// The limit of lookups that find no active user.
    #[must_use]
    pub const fn inactive_users(&self) -> &InactiveUsers {
        &self.inactive_users
    }

    /// The principal of a verified token; `None` if the user does not exist or is deactivated.
    ///
    /// # Errors
    /// When the database fails. A cache failure counts as a miss.
    pub async fn find(&self, claims: &Claims) -> Result<Option<Principal>, StoreFailure> {
        let (user, store) = (claims.user(), TenantStore::open(self.pool.clone(), claims.tenant()));
        // An entry from before the token was issued may name earlier sessions.
        let cached = self.cached(&key(&store, user)).await;
        let authority = match cached.filter(|cached| cached.sessions >= claims.sessions()) {
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

    /// Queries the database, and caches the result.
    async fn stored(&self, store: &TenantStore, user: UserId) -> Result<Option<Authority>, StoreFailure> {
        let found = store.user_and_plan(user).await?;
        let Some((user, plan)) = found.filter(|(user, _)| user.active) else { return Ok(None) };
        let authority = Authority { role: user.role, plan, sessions: user.sessions };
        if let Err(error) = self.cache.set(&key(store, user.id), &authority, TIME_TO_LIVE).await {
            CacheFailed { cache: CACHE, error: &error, is_lookup: false }.emit(&self.metrics);
        }
        Ok(Some(authority))
    }

    /// Invalidates the cached entry of a user. Must be called after every change of a user.
    pub async fn invalidate(&self, store: &TenantStore, user: UserId) {
        if let Err(error) = self.cache.delete(&key(store, user)).await {
            CacheFailed { cache: CACHE, error: &error, is_lookup: false }.emit(&self.metrics);
        }
    }
}

fn key(store: &TenantStore, user: UserId) -> String {
    format!("glasshouse:principal:{}:{user}", store.tenant_id())
}
