//! The outbox and its relay.

use std::time::Duration;

use prometheus::{Error, Gauge, IntGauge};

use crate::metrics::{IntCounterVec, Registrar};

/// The backlog of the outbox, and attempts to deliver its messages.
#[derive(Clone, Debug)]
pub struct OutboxMetrics {
    pending: IntGauge,
    oldest_age: Gauge,
    dead_letters: IntGauge,
    pub(crate) deliveries: IntCounterVec<2>,
}

impl OutboxMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        Ok(Self {
            pending: registrar
                .int_gauge("outbox_pending", "Undelivered messages of all tenants, without dead letters.")?,
            oldest_age: registrar.gauge(
                "outbox_oldest_age_seconds",
                "Age of the oldest undelivered message, in seconds; 0 if the outbox is empty.",
            )?,
            dead_letters: registrar.int_gauge(
                "outbox_dead_letters",
                "Messages of all tenants whose delivery was given up, until an operator requeues them.",
            )?,
            deliveries: registrar.int_counter_vec(
                "outbox_deliveries_total",
                "Attempts to deliver a message, by kind and result (delivered, failed, dead_lettered, lease_lost).",
                ["kind", "result"],
            )?,
        })
    }

    /// Sets the number of messages that will be delivered, the age of the oldest, and the number of dead letters.
    pub fn set_backlog(&self, pending: i64, oldest_age: Duration, dead_letters: i64) {
        self.pending.set(pending);
        self.dead_letters.set(dead_letters);
        self.oldest_age.set(oldest_age.as_secs_f64());
    }
}
