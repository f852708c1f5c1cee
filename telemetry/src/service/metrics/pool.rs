//! The gauges of a connection pool.

use prometheus::{Error, IntGauge};

use crate::metrics::{IntGaugeVec, Registrar};

/// The open connections of a pool by state, and their maximum number.
#[derive(Clone, Debug)]
pub(super) struct PoolGauges {
    connections: IntGaugeVec<1>,
    max: IntGauge,
}

impl PoolGauges {
    /// Registers both under their names, with their help.
    pub(super) fn register(
        registrar: &mut Registrar,
        connections: (&str, &str),
        max: (&str, &str),
    ) -> Result<Self, Error> {
        Ok(Self {
            connections: registrar.int_gauge_vec(connections.0, connections.1, ["state"])?,
            max: registrar.int_gauge(max.0, max.1)?,
        })
    }

    /// Sets the numbers of open and idle connections, and the maximum.
    pub(super) fn set(&self, open: usize, idle: usize, max: usize) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.connections.with(["active"]).set(count(open.saturating_sub(idle)));
        self.connections.with(["idle"]).set(count(idle));
        self.max.set(count(max));
    }

    /// The number of connections in use.
    pub(super) fn active(&self) -> i64 {
        self.connections.with(["active"]).get()
    }
}
