//! Connections of clients to the public server.

use crate::metrics::{Error, IntCounterVec, IntGauge, Registrar};

/// The connections to the public server, and those that the server closed before their clients did.
#[derive(Clone, Debug)]
pub struct ConnectionMetrics {
    open: IntGauge,
    max: IntGauge,
    closed: IntCounterVec<1>,
}

impl ConnectionMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        let open = registrar.int_gauge("http_connections", "Open connections to the public server.")?;
        let max = registrar
            .int_gauge("http_connections_max", "Maximum number of connections to the public server.")?;
        let closed = registrar.int_counter_vec(
            "http_connections_closed_total",
            "Connections that the public server closed, by reason (head_timeout, idle_timeout, slow_reader, made_room, shutdown).",
            ["reason"],
        )?;
        // The series exist from the start, so that `rate()` sees their first increase.
        for reason in ["head_timeout", "idle_timeout", "slow_reader", "made_room", "shutdown"] {
            closed.with([reason]);
        }
        Ok(Self { open, max, closed })
    }

    /// Sets the maximum.
    pub fn set_max(&self, max: usize) {
        self.max.set(i64::try_from(max).unwrap_or(i64::MAX));
    }

    /// Counts a connection that was opened.
    pub fn opened(&self) {
        self.open.inc();
    }

    /// Counts a connection that was closed: by the server for a reason, or by its client.
    pub fn closed(&self, reason: Option<&str>) {
        self.open.dec();
        if let Some(reason) = reason {
            self.closed.with([reason]).inc();
        }
    }
}
