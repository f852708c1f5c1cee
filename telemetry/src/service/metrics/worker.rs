//! The background jobs of the worker.

use std::time::Duration;

use prometheus::Error;

use crate::metrics::{IntGaugeVec, Registrar};

/// The progress of background jobs.
#[derive(Clone, Debug)]
pub struct WorkerMetrics {
    last_success_age: IntGaugeVec<1>,
}

impl WorkerMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        Ok(Self {
            last_success_age: registrar.int_gauge_vec(
                "worker_job_last_success_age_seconds",
                "Time since a background job (outbox_relay, reconciler, housekeeping) last completed a round, in seconds.",
                ["worker_job"],
            )?,
        })
    }

    /// Sets the time since a job last completed a round.
    pub fn set_last_success_age(&self, job: &str, age: Duration) {
        self.last_success_age.with([job]).set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    }
}
