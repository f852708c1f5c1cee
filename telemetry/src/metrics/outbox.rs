use std::time::Duration;

use prometheus::{Error, Gauge, IntCounterVec, IntGauge, Registry};

use super::define::{counters, gauge, seconds};

/// Messages that wait for delivery.
#[derive(Clone, Debug)]
pub struct OutboxMetrics {
    pending: IntGauge,
    oldest_age: Gauge,
    deliveries: IntCounterVec,
}

impl OutboxMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            pending: gauge(registry, "outbox_pending", "Messages that are not delivered yet.")?,
            oldest_age: seconds(
                registry,
                "outbox_oldest_age_seconds",
                "Age of the oldest message that is not delivered yet, in seconds; 0 if there is none.",
            )?,
            deliveries: counters(
                registry,
                "outbox_deliveries_total",
                "Attempts to deliver a message, by kind and result (delivered, failed).",
                &["kind", "result"],
            )?,
        })
    }

    /// An attempt to deliver ended.
    pub fn attempted(&self, kind: &str, delivered: bool) {
        let result = if delivered { "delivered" } else { "failed" };
        self.deliveries.with_label_values(&[kind, result]).inc();
    }

    /// What waits.
    pub fn set_backlog(&self, pending: i64, oldest_age: Duration) {
        self.pending.set(pending);
        self.oldest_age.set(oldest_age.as_secs_f64());
    }
}
