//! Who makes a request: a token names a user, and this tells what that user may do now.
//!
//! Every request asks, so the answer is cached for a short while. A change of a user forgets the entry, so
//! that a deactivated user is refused at once, not when the token expires.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::user::Role;
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::db::Database;
use glasshouse_telemetry::metrics::CacheMetrics;

/// Somebody who is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Their tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// What their tenant pays for.
    pub plan: Plan,
}

/// Looks principals up, in the cache first.
#[derive(Clone, Debug)]
pub struct Principals {
    database: Database,
    cache: Cache,
    metrics: CacheMetrics,
}

/// The cache's name in metrics and log lines.
const CACHE: &str = "principals";

/// The longest that a change made past this service (by hand, in the database) goes unnoticed.
const LIFE: Duration = Duration::from_secs(30);

impl Principals {
    /// Looks in `cache`, then in `database`.
    #[must_use]
    pub fn new(database: Database, cache: Cache, metrics: CacheMetrics) -> Self {
        metrics.watch(CACHE);
        Self { database, cache, metrics }
    }

    /// The principal with this id; `None` if the user does not exist or was deactivated.
    ///
    /// # Errors
    /// When the database fails. A cache that fails is the same as an empty one.
    pub async fn find(&self, tenant: TenantId, user: UserId) -> Result<Option<Principal>, StoreFailure> {
        let key = key(tenant, user);
        match self.cache.get::<Principal>(&key).await {
            Ok(Some(principal)) => {
                self.metrics.looked_up(CACHE, "hit");
                tracing::debug!(cache = CACHE, "cache_hit");
                return Ok(Some(principal));
            }
            Ok(None) => {
                self.metrics.looked_up(CACHE, "miss");
                tracing::debug!(cache = CACHE, "cache_miss");
            }
            Err(error) => {
                self.metrics.looked_up(CACHE, "error");
                tracing::warn!(cache = CACHE, %error, "cache_failed");
            }
        }
        let found = self.database.tenant(tenant).user_and_plan(user).await?;
        let Some((user, plan)) = found.filter(|(user, _)| user.active) else { return Ok(None) };
        let principal = Principal { tenant, user: user.id, role: user.role, plan };
        if let Err(error) = self.cache.set(&key, &principal, LIFE).await {
            tracing::warn!(cache = CACHE, %error, "cache_failed");
        }
        Ok(Some(principal))
    }

    /// Makes the next request of this user ask the database. To be called after every change of a user.
    pub async fn forget(&self, tenant: TenantId, user: UserId) {
        if let Err(error) = self.cache.forget(&key(tenant, user)).await {
            tracing::warn!(cache = CACHE, %error, "cache_failed");
        }
    }
}

fn key(tenant: TenantId, user: UserId) -> String {
    format!("glasshouse:principal:{tenant}:{user}")
}
