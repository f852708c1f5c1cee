//! Health checks of dependencies.

use std::time::Duration;

crate::events! {
    "health"

    /// A dependency failed a health check.
    pub struct HealthCheckFailed<'a>: WARN "health_check_failed" { check: &'a str, error: &'a str }

    /// A dependency did not answer a health check in time.
    pub struct HealthCheckTimedOut<'a>: WARN "health_check_timed_out" { check: &'a str, timeout: Duration }
}
