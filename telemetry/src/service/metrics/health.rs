//! Health of the process's dependencies.

use prometheus::Error;

use crate::metrics::{IntGaugeVec, Registrar};

/// Whether each dependency passes its health check.
#[derive(Clone, Debug)]
pub struct HealthMetrics {
    up: IntGaugeVec<1>,
}

impl HealthMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        let help = "1 if the dependency (database, redis; worker: the background jobs) passes its health check, 0 if not.";
        Ok(Self { up: registrar.int_gauge_vec("dependency_up", help, ["dependency"])? })
    }

    /// Sets the result of a dependency's health check.
    pub fn set_up(&self, dependency: &str, is_up: bool) {
        self.up.with([dependency]).set(is_up.into());
    }
}
