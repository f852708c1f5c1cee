//! What the system holds while it is at rest. A fault must not leave anything behind.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::query::number;
use crate::system::{SERVICE, Scrape, System};

/// How much of each resource is held, by the name of the resource and its holder.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(BTreeMap<String, Amount>);

#[derive(Clone, Copy, Debug)]
struct Amount {
    value: f64,
    /// How much more may be held than before the first fault, because pools grow up to a bound.
    tolerance: f64,
}

/// A resource of which more is held than before the first fault.
#[derive(Clone, Debug)]
pub(super) struct Leak {
    pub(super) count: u64,
    pub(super) text: String,
}

/// A resource of each process: how much of it a scrape shows.
struct Resource {
    name: &'static str,
    held: fn(&Scrape) -> Option<f64>,
    tolerance: f64,
}

/// The gauges of connections that are open, in use or not.
const CONNECTIONS: [&str; 3] = ["http_connections", "database_connections", "redis_connections"];

const RESOURCES: [Resource; 5] = [
    Resource {
        name: "in-flight requests",
        held: |scrape| scrape.sum("http_requests_in_flight", &[]),
        tolerance: 0.0,
    },
    // Background jobs look for work, and a scrape measures the outbox.
    Resource {
        name: "database connections in use",
        held: |scrape| scrape.sum("active_database_connections", &[]),
        tolerance: 1.0,
    },
    Resource {
        name: "Redis connections in use",
        held: |scrape| scrape.sum("redis_connections", &[("state", "active")]),
        tolerance: 0.0,
    },
    // What else is open: connections to the gateway, to the receiver of spans and to the management port.
    Resource {
        name: "file descriptors other than those of gauges",
        held: |scrape| {
            let connections: f64 = CONNECTIONS.iter().filter_map(|gauge| scrape.sum(gauge, &[])).sum();
            Some(scrape.sum("process_open_fds", &[])? - connections)
        },
        tolerance: 16.0,
    },
    Resource { name: "tasks", held: |scrape| scrape.sum("runtime_tasks", &[]), tolerance: 32.0 },
];

/// What the sessions of the service hold in Postgres.
const AT_POSTGRES: [(&str, &str); 3] = [
    (
        "sessions idle in a transaction",
        "SELECT count(*) AS n FROM pg_stat_activity WHERE usename = $1 AND state LIKE 'idle in transaction%' \
         AND state_change < clock_timestamp() - interval '100 milliseconds'",
    ),
    (
        "advisory locks",
        "SELECT count(*) AS n FROM pg_locks JOIN pg_stat_activity USING (pid) \
         WHERE locktype = 'advisory' AND usename = $1",
    ),
    ("prepared transactions", "SELECT count(*) AS n FROM pg_prepared_xacts WHERE owner = $1"),
];

const SESSIONS: &str = "SELECT count(*) AS n FROM pg_stat_activity WHERE usename = $1";

impl Held {
    /// Reads what is held now.
    ///
    /// # Errors
    /// A process does not respond, or Postgres or Redis fails.
    pub(super) async fn read(system: &System) -> Result<Self> {
        let mut held = Self::default();
        let scrapes = Scrape::all(system).await?;
        for Resource { name, held: of, tolerance } in RESOURCES {
            for scrape in &scrapes {
                if let Some(value) = of(scrape) {
                    held.add(format!("{name} of {}", scrape.of), value, tolerance);
                }
            }
        }
        let sum = |gauge: &str| -> f64 { scrapes.iter().filter_map(|scrape| scrape.sum(gauge, &[])).sum() };
        let superuser = system.postgres.superuser().await?;
        let count = async |sql: &str| -> Result<f64> {
            let number = number(&superuser, sql, [SERVICE.into()]).await?;
            Ok(f64::from(u32::try_from(number)?))
        };
        for (name, sql) in AT_POSTGRES {
            held.add(format!("{name} of Postgres"), count(sql).await?, 0.0);
        }
        // A pooler has sessions of its own.
        if !system.is_pooled() {
            let sessions = count(SESSIONS).await? - sum("database_connections");
            held.add("sessions of Postgres that no process has".to_owned(), sessions.max(0.0), 0.0);
        }
        superuser.close().await?;
        let clients = f64::from(system.redis.clients().await?) - sum("redis_connections");
        held.add("clients of Redis that no process has".to_owned(), clients.max(0.0), 0.0);
        Ok(held)
    }

    fn add(&mut self, name: String, value: f64, tolerance: f64) {
        self.0.insert(name, Amount { value, tolerance });
    }

    /// What is held both times: what is used for a moment is no leak.
    pub(super) fn still(mut self, earlier: &Self) -> Self {
        for (name, amount) in &mut self.0 {
            amount.value = amount.value.min(earlier.0.get(name).map_or(f64::INFINITY, |amount| amount.value));
        }
        self
    }

    /// What is held and was not held in `baseline`.
    pub(super) fn leaks(&self, baseline: &Self) -> Vec<Leak> {
        let leaks = self.0.iter().filter_map(|(name, Amount { value, tolerance })| {
            let before = baseline.0.get(name).map_or(0.0, |amount| amount.value);
            let excess = value - before - tolerance;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is positive and small"
            )]
            let count = (value - before).round() as u64;
            let text = format!("{value} {name}, and {before} before the first fault");
            (excess > 0.5).then_some(Leak { count, text })
        });
        leaks.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_before_is_a_leak_beyond_its_tolerance() {
        let held =
            |value, tolerance| Held(BTreeMap::from([("tasks".to_owned(), Amount { value, tolerance })]));
        assert!(held(7.0, 2.0).leaks(&held(5.0, 2.0)).is_empty());
        assert_eq!(held(8.0, 2.0).leaks(&held(5.0, 2.0))[0].count, 3);
        assert_eq!(held(1.0, 0.0).leaks(&Held::default())[0].count, 1, "something new");
        assert!(held(1.0, 0.0).leaks(&held(3.0, 0.0)).is_empty());
    }
}
