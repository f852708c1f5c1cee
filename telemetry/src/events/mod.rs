//! The list of events: every business and operational event of the service is one item here, with its name, its level,
//! its fields and the metrics that it moves. A file holds the events of one concern.
//!
//! A call site emits an event, and writes neither a log record nor a metric beside it; [`events!`](crate::events!) says
//! how to declare one.

pub mod cache;
pub mod database;
mod define;
pub mod faults;
pub mod health;
pub mod http;
pub mod orders;
pub mod outbox;
pub mod panics;
pub mod payment_gateway;
pub mod payments;
pub mod process;
pub mod profiles;
pub mod rate_limit;
pub mod users;
mod value;

use prometheus::core::Collector;
use serde::Serialize;
#[doc(hidden)]
pub use tracing;

use crate::metrics::Metrics;

pub use value::{Critical, FieldValue};

/// One event of the telemetry contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventDefinition {
    /// The message of the log record, such as `order_placed`.
    pub name: &'static str,
    /// The level of the log record, such as `INFO`.
    pub level: &'static str,
    /// What happened.
    pub description: String,
    /// The names of the log record's own fields.
    pub fields: Vec<&'static str>,
    /// The names of the metrics that the event moves.
    pub metrics: Vec<String>,
    /// The concern that it belongs to, such as `orders`.
    pub group: &'static str,
}

/// Where an event finds the metrics that it moves: in the struct of these metrics itself.
pub trait MetricsHandle<M> {
    /// The metrics; `None` where they are not kept.
    fn metrics(&self) -> Option<&M>;
}

impl<M> MetricsHandle<M> for M {
    fn metrics(&self) -> Option<&M> {
        Some(self)
    }
}

/// The definitions of all events.
#[must_use]
pub fn definitions(metrics: &Metrics) -> Vec<EventDefinition> {
    [
        process::definitions(metrics),
        http::definitions(metrics),
        panics::definitions(metrics),
        users::definitions(metrics),
        orders::definitions(metrics),
        payments::definitions(metrics),
        payment_gateway::definitions(metrics),
        outbox::definitions(metrics),
        database::definitions(metrics),
        cache::definitions(metrics),
        rate_limit::definitions(metrics),
        health::definitions(metrics),
        faults::definitions(metrics),
        profiles::definitions(metrics),
    ]
    .concat()
}

/// The name under which a metric is exported.
#[doc(hidden)]
pub fn metric_name(metric: &impl Collector) -> String {
    metric.desc().first().map(|description| description.fq_name.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::metrics::MetricsSettings;

    #[test]
    fn every_event_has_a_name_of_its_own_in_snake_case() {
        let events = definitions(&Metrics::new(MetricsSettings::default()).unwrap());
        let mut names = HashSet::new();
        for event in &events {
            assert!(event.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", event.name);
            assert!(names.insert(event.name), "{} is declared twice", event.name);
            assert!(event.description.ends_with('.'), "{}: {}", event.name, event.description);
        }
    }

    #[test]
    fn an_event_moves_metrics_that_are_exported() {
        let metrics = Metrics::new(MetricsSettings::default()).unwrap();
        let exported: HashSet<_> = metrics.definitions().iter().map(|metric| metric.name.clone()).collect();
        for event in definitions(&metrics) {
            for metric in &event.metrics {
                assert!(exported.contains(metric), "{}: {metric}", event.name);
            }
        }
    }
}
