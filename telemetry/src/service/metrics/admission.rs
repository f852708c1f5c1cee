//! Requests on their way to a handler: authenticated, rate limited or shed.

use prometheus::IntGauge;

use super::tenants::TenantInfo;
use crate::metrics::{Capped, CappedLabel, Error, IntCounterVec, IntGaugeVec, Registrar};

/// Authenticated requests, and those that were rejected before they reached a handler.
#[derive(Clone, Debug)]
pub struct AdmissionMetrics {
    api_calls: Capped<IntCounterVec<2>>,
    rate_limited: Capped<IntCounterVec<1>>,
    tenants: TenantInfo,
    throttled: IntCounterVec<1>,
    shed: IntCounterVec<1>,
    pub(crate) limiter_is_local: IntGauge,
    plan_limits: IntGaugeVec<1>,
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
        let api_calls = IntCounterVec::unregistered(
            "api_calls_total",
            "Authenticated requests, by tenant and route pattern. Tenants that are not among the most active ones count as \"other\".",
            ["tenant_id", "endpoint"],
        )?;
        let rate_limited = IntCounterVec::unregistered(
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
            api_calls: registrar.register(Capped::new(api_calls, tenants.clone()))?,
            rate_limited: registrar.register(Capped::new(rate_limited, tenants.clone()))?,
            tenants: TenantInfo::register(registrar, tenants)?,
            throttled,
            shed,
            concurrency_limit: registrar.int_gauge(
                "http_requests_in_flight_limit",
                "Limit of in-flight requests, above which load is shed. It adapts to the wait for the database.",
            )?,
            plan_limits: registrar.int_gauge_vec(
                "plan_rate_limit_per_second",
                "Requests per second that a tenant may make in the long run, by plan.",
                ["plan"],
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

    /// Sets slug and plan of a tenant, which were read from the database.
    pub fn identify_tenant(&self, tenant: &str, slug: &str, plan: &str) {
        self.tenants.set(tenant, slug, plan);
    }

    /// Counts a request that the rate limit rejected.
    pub fn rate_limited(&self, tenant: &str) {
        self.rate_limited.with([tenant]).inc();
    }

    /// Sets how many requests per second the tenants of a plan may make.
    pub fn set_plan_limit(&self, plan: &str, per_second: u32) {
        self.plan_limits.with([plan]).set(per_second.into());
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
