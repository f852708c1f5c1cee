//! Limits how often the token of a user who is deactivated or deleted is looked up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use glasshouse_domain::id::{TenantId, UserId};

use super::AttemptQuota;
use super::buckets::Buckets;

/// Above this limit the requests of an inactive user are rejected without a lookup. One that was activated again waits
/// for a second at most.
const QUOTA: AttemptQuota = AttemptQuota { attempts: 20, per: Duration::from_secs(20) };

/// The users whose tokens this process has recently rejected. Clones share them. An active user is not among them.
#[derive(Clone, Debug, Default)]
pub struct InactiveUsers(Arc<Buckets<(TenantId, UserId)>>);

impl InactiveUsers {
    /// The time until the user may be looked up again; `None` if that is now.
    #[must_use]
    pub fn retry_after(&self, tenant: TenantId, user: UserId) -> Option<Duration> {
        self.0.wait(&(tenant, user), QUOTA, Instant::now())
    }

    /// Counts a lookup that found no active user.
    ///
    /// # Errors
    /// The time until the user may be looked up again, if concurrent lookups have used up the limit.
    pub fn count(&self, tenant: TenantId, user: UserId) -> Result<(), Duration> {
        self.0.take((tenant, user), QUOTA, Instant::now())
    }
}
