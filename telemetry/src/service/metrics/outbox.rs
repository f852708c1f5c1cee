//! The outbox and its relay.

use std::time::Duration;

use prometheus::{Error, Gauge, IntGauge};

use crate::metrics::{IntCounterVec, Registrar};

/// The backlog of the outbox, and attempts to deliver its messages.
#[derive(Clone, Debug)]
pub struct OutboxMetrics {
    pending: IntGauge,
    oldest_age: Gauge,
    pub(crate) deliveries: IntCounterVec<2>,
}

impl OutboxMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        Ok(Self {
            pending: registrar.int_gauge("outbox_pending", "Undelivered messages of all tenants.")?,
            oldest_age: registrar.gauge(
                "outbox_oldest_age_seconds",
                "Age of the oldest undelivered message, in seconds; 0 if the outbox is empty.",
            )?,
            deliveries: registrar.int_counter_vec(
                "outbox_deliveries_total",
                "Attempts to deliver a message, by kind and result (delivered, failed).",
                ["kind", "result"],
            )?,
        })
    }

    /// Sets the backlog.
    pub fn set_backlog(&self, pending: i64, oldest_age: Duration) {
        self.pending.set(pending);
        self.oldest_age.set(oldest_age.as_secs_f64());
    }
}
