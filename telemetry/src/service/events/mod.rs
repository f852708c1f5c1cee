//! The list of events: every business and operational event of Glasshouse is one item here, with its name, its level,
//! its fields and the metrics that it moves. A file holds the events of one concern.
//!
//! A call site emits an event, and writes neither a log record nor a metric beside it; [`events!`](crate::events!) says
//! how to declare one.

pub mod cache;
pub mod circuit_breaker;
pub mod database;
pub mod faults;
pub mod health;
pub mod load_shedding;
pub mod orders;
pub mod outbox;
pub mod payment_gateway;
pub mod payments;
pub mod process;
pub mod rate_limit;
pub mod users;

use super::metrics::Metrics;
use crate::events::{EventDefinition, http, panics, profiles};

/// The definitions of all events, with those that every service has.
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
        circuit_breaker::definitions(metrics),
        outbox::definitions(metrics),
        database::definitions(metrics),
        cache::definitions(metrics),
        rate_limit::definitions(metrics),
        load_shedding::definitions(metrics),
        health::definitions(metrics),
        faults::definitions(metrics),
        profiles::definitions(metrics),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::service::metrics::MetricsSettings;

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
