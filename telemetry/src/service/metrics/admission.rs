//! Requests on their way to a handler: authenticated, rate limited or shed.

use prometheus::IntGauge;

use crate::metrics::{Capped, CappedLabel, Error, IntCounterVec, Registrar};

/// Authenticated requests, and those that were rejected before they reached a handler.
#[derive(Clone, Debug)]
pub struct AdmissionMetrics {
    api_calls: Capped<IntCounterVec<2>>,
    rate_limited: Capped<IntCounterVec<1>>,
    throttled: IntCounterVec<1>,
    shed: IntCounterVec<1>,
    pub(crate) limiter_is_local: IntGauge,
    concurrency_limit: IntGauge,
}

/// Every limit of requests that is not the rate limit of a tenant's plan.
const LIMITS: [&str; 3] = ["inactive_user", "password_reset", "sign_up"];

impl AdmissionMetrics {
    pub(super) fn register(registrar: &mut Registrar, tenants: CappedLabel) -> Result<Self, Error> {
        let shed = registrar.int_counter_vec(
            "load_shed_total",
            "Requests rejected by load shedding, by reason (concurrency: too many in flight; tenant: too many of \
             one tenant in flight; memory: too many bodies; password_hashing: too many waiting for a hash).",
            ["reason"],
        )?;
        // Created at zero, so that an alert sees the increase of the first rejection.
        for reason in ["concurrency", "tenant", "memory", "password_hashing"] {
            shed.with([reason]);
        }
        let api_calls = registrar.int_counter_vec(
            "api_calls_total",
            "Authenticated requests, by tenant and route pattern. Tenants that are not among the most active ones count as \"other\".",
            ["tenant_id", "endpoint"],
        )?;
        let rate_limited = registrar.int_counter_vec(
            "tenant_rate_limited_total",
            "Requests rejected by the rate limit of the tenant's plan.",
            ["tenant_id"],
        )?;
        let throttled = registrar.int_counter_vec(
            "requests_throttled_total",
            "Requests rejected by a limit other than that of a tenant's plan, by limit (inactive_user, password_reset, \
             sign_up). Throttled logins are results of login_attempts_total.",
            ["limit"],
        )?;
        for limit in LIMITS {
            throttled.with([limit]);
        }
        Ok(Self {
            api_calls: Capped::new(api_calls, tenants.clone()),
            rate_limited: Capped::new(rate_limited, tenants),
            throttled,
            shed,
            concurrency_limit: registrar.int_gauge(
                "http_requests_in_flight_limit",
                "Limit of in-flight requests, above which load is shed. It adapts to the wait for the database.",
            )?,
            limiter_is_local: registrar.int_gauge(
                "rate_limiter_local",
                "1 while Redis is unavailable and this process limits requests with its share of the quotas, 0 otherwise.",
            )?,
        })
    }

    /// Counts an authenticated request.
    pub fn called_by_tenant(&self, tenant: &str, endpoint: &str) {
        self.api_calls.with([tenant, endpoint]).inc();
        // Created at zero, so that an alert sees the increase of the first rejection.
        self.rate_limited.with([tenant]);
    }

    /// Counts a request that the rate limit rejected.
    pub fn rate_limited(&self, tenant: &str) {
        self.rate_limited.with([tenant]).inc();
    }

    /// Counts a request that one of the limits rejected.
    pub fn throttled(&self, limit: &str) {
        self.throttled.with([limit]).inc();
    }

    /// Sets the limit of in-flight requests.
    pub fn set_concurrency_limit(&self, limit: usize) {
        self.concurrency_limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
    }

    /// Counts a request that was shed.
    pub fn shed(&self, reason: &str) {
        self.shed.with([reason]).inc();
    }
}
