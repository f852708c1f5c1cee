use prometheus::{Error, IntGaugeVec, Registry};

use super::define::gauges;

/// Whether the parts are there that readiness depends on.
#[derive(Clone, Debug)]
pub struct HealthMetrics {
    up: IntGaugeVec,
}

impl HealthMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let help = "1 if the part answers health checks, 0 if it does not (database, redis).";
        Ok(Self { up: gauges(registry, "dependency_up", help, &["dependency"])? })
    }

    /// How the health check of a part went.
    pub fn set_up(&self, dependency: &str, is_up: bool) {
        self.up.with_label_values(&[dependency]).set(is_up.into());
    }
}
