//! Authentication: looks up the current role and plan of the user that a verified token names.
//!
//! Every request needs them, so they are cached for a short time, and a change of a user is written to the cache. The
//! cache grants nothing: it may hold an outdated entry, because the change could not be written to it. So the first
//! transaction of a request reads the user's role again, in the statement that it begins with anyway, and fails if the
//! user is deactivated or has a lower role than the cache says.

use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::user::{Role, SessionGeneration, User};
use serde::{Deserialize, Serialize};

use crate::attempts::InactiveUsers;
use crate::cache::{Cache, CacheError};
use crate::db::{CallerCheck, Database, Pool, TenantStore};
use crate::rate_limit::{EarlyDecision, RateLimiter};
use crate::redis::{Redis, RedisError};
use crate::tokens::Claims;
use glasshouse_telemetry::service::events::cache::{
    CacheEntryRejected, CacheFailed, CacheHit, CacheMiss, CacheSkipped,
};
use glasshouse_telemetry::service::metrics::{AdmissionMetrics, CacheMetrics};

/// An authenticated user with access to the rows of their tenant. Only [`Principals::find`] creates one.
#[derive(Clone, Debug)]
pub struct Principal {
    user: UserId,
    authority: Authority,
    store: TenantStore,
}

/// The cached part of a [`Principal`]. It contains neither the user nor the tenant, which come from the token alone.
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
    tenants: AdmissionMetrics,
    inactive_users: InactiveUsers,
}

/// The cache's name in metrics and log records.
const CACHE: &str = "principals";

/// The time after which a change of a plan, or one made directly in the database, takes effect at the latest.
const TIME_TO_LIVE: Duration = Duration::from_secs(30);

/// How long it is cached that a user is not active. Shorter, because nothing checks it again: a reactivation that could
/// not be written to the cache takes effect after this time.
const TIME_TO_LIVE_INACTIVE: Duration = Duration::from_secs(5);

impl Principals {
    /// Looks up principals in `cache`, then in `database`. `tenants` gets slug and plan of their tenants.
    #[must_use]
    pub fn new(database: &Database, cache: Cache, metrics: CacheMetrics, tenants: AdmissionMetrics) -> Self {
        metrics.watch(CACHE);
        Self { pool: database.pool(), cache, metrics, tenants, inactive_users: InactiveUsers::default() }
    }

    /// The limit of lookups that find no active user.
    #[must_use]
    pub const fn inactive_users(&self) -> &InactiveUsers {
        &self.inactive_users
    }

    /// The principal of a verified token; `None` if the user does not exist or is deactivated. The first transaction of
    /// its [store](Principal::store) checks it.
    ///
    /// Every request also needs a token of its tenant's rate limit, which depends on the plan in the cached entry. So the call that
    /// reads the entry takes the token too: see [`RateLimiter::decide`].
    ///
    /// # Errors
    /// When the database fails. A cache failure counts as a miss.
    pub async fn find(
        &self,
        claims: &Claims,
        limiter: &RateLimiter,
    ) -> Result<Option<(Principal, Option<EarlyDecision>)>, StoreFailure> {
        let (tenant, user) = (claims.tenant(), claims.user());
        // An entry from before the token was issued may name earlier sessions.
        let is_recent =
            |cached: &Option<Authority>| cached.is_none_or(|cached| cached.sessions >= claims.sessions());
        let (cached, early) = self.cached(claims, limiter).await;
        let authority = match cached.filter(is_recent) {
            Some(cached) => cached,
            None => self.stored(tenant, user).await?,
        };
        Ok(authority.map(|authority| {
            let check = CallerCheck::new(user, authority.role, claims.sessions());
            let store = TenantStore::open_for(self.pool.clone(), tenant, check);
            (Principal { user, authority, store }, early)
        }))
    }

    /// The cached authority of a user, which is `Some(None)` if it is cached that the user is not active; and the decision about
    /// the request that was made with it.
    async fn cached(
        &self,
        claims: &Claims,
        limiter: &RateLimiter,
    ) -> (Option<Option<Authority>>, Option<EarlyDecision>) {
        let key = key(claims.tenant(), claims.user());
        let mut early = None;
        let read = async |redis: &Redis| {
            let (entry, decision) = limiter.read_and_take(redis, &key, claims).await?;
            early = decision;
            Ok(entry)
        };
        match self.cache.get_by(&key, read).await {
            Ok(Some(authority)) => {
                CacheHit { cache: CACHE }.emit(&self.metrics);
                return (Some(authority), early);
            }
            Ok(None) => CacheMiss { cache: CACHE }.emit(&self.metrics),
            Err(CacheError::NotAuthentic) => {
                CacheMiss { cache: CACHE }.emit(&self.metrics);
                self.reject(&key, "not_authentic").await;
            }
            Err(error) => self.failed(&error, true),
        }
        (None, early)
    }

    /// Queries the database, and caches the result.
    async fn stored(&self, tenant: TenantId, user: UserId) -> Result<Option<Authority>, StoreFailure> {
        let found = TenantStore::open(self.pool.clone(), tenant).user_and_tenant(user).await?;
        let version = found.as_ref().map_or(0, |(user, _)| user.version);
        if let Some((_, tenant)) = &found {
            self.tenants.identify_tenant(&tenant.id.to_string(), tenant.slug.as_str(), tenant.plan.as_str());
        }
        let authority = found.and_then(|(user, tenant)| Authority::of(&user, tenant.plan));
        self.store(tenant, user, version, authority).await;
        Ok(authority)
    }

    /// Writes a changed user to the cache. Must be called after every change of a user by a principal.
    ///
    /// A stopped process or an unavailable cache may prevent it. The change takes effect all the same: see the module.
    pub async fn changed(&self, user: &User, by: &Principal) {
        self.store(by.tenant(), user.id, user.version, Authority::of(user, by.plan())).await;
    }

    /// Removes the cached entry of a user who has reset their password, which takes no principal. It may be prevented as
    /// well, and the sessions end all the same.
    pub async fn forget(&self, tenant: TenantId, user: UserId) {
        self.delete(&key(tenant, user)).await;
    }

    /// Removes the cached entry of a principal if a transaction has refused it, so that the next request does not get
    /// the same one.
    pub async fn forget_if_refused(&self, principal: &Principal) {
        if principal.store.is_authority_lost() {
            self.reject(&key(principal.tenant(), principal.user), "outdated").await;
        }
    }

    async fn store(&self, tenant: TenantId, user: UserId, version: i32, authority: Option<Authority>) {
        let time_to_live = if authority.is_some() { TIME_TO_LIVE } else { TIME_TO_LIVE_INACTIVE };
        let version = u32::try_from(version).unwrap_or_default();
        if let Err(error) = self.cache.set(&key(tenant, user), version, &authority, time_to_live).await {
            self.failed(&error, false);
        }
    }

    /// Reports a failure. While the circuit of Redis is open, its opening has been logged, and not every operation is.
    fn failed(&self, error: &CacheError, is_lookup: bool) {
        if matches!(error, CacheError::Redis(RedisError::CircuitOpen)) {
            CacheSkipped { cache: CACHE, is_lookup }.emit(&self.metrics);
        } else {
            CacheFailed { cache: CACHE, error, is_lookup }.emit(&self.metrics);
        }
    }

    async fn reject(&self, key: &str, reason: &'static str) {
        CacheEntryRejected { cache: CACHE, reason }.emit(&self.metrics);
        self.delete(key).await;
    }

    async fn delete(&self, key: &str) {
        if let Err(error) = self.cache.delete(key).await {
            self.failed(&error, false);
        }
    }
}

impl Authority {
    /// The authority of an active user; `None` if the user is not active.
    fn of(user: &User, plan: Plan) -> Option<Self> {
        user.active.then_some(Self { role: user.role, plan, sessions: user.sessions })
    }
}

fn key(tenant: TenantId, user: UserId) -> String {
    format!("glasshouse:principal:{tenant}:{user}")
}
