//! "What if": the faults that the console offers, with the alert that each raises. The page flips them with `PUT /faults`, and
//! with `/console/gateway` for the payment-gateway simulator.

use glasshouse_runbooks::name_of_alert;
use serde::Serialize;
use serde_json::{Value, json};

/// How long a fault lasts unless it is ended, in seconds: long enough for its alert to fire, which takes about three minutes.
const SECONDS: u64 = 300;

/// A fault that can be switched on.
#[derive(Clone, Debug, Serialize)]
pub struct Experiment {
    /// Its name: a fault of `/faults`, or `gateway_…`.
    pub id: &'static str,
    /// What happens, as a sentence without its period.
    pub title: &'static str,
    /// What to look at on the page.
    pub watch: &'static str,
    /// The alert that it raises, if it lasts.
    pub alert: &'static str,
    /// The runbook of the alert.
    pub runbook: String,
    /// How it is switched on.
    #[serde(flatten)]
    pub switch: Switch,
}

/// How a fault is switched on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// With this plan of `/faults`.
    Faults(Value),
    /// With this behavior of the payment-gateway simulator.
    Gateway(Value),
}

/// The parts of a process that faults can affect.
#[derive(Clone, Copy, Debug)]
pub struct Affected {
    /// Whether it serves the API.
    pub api: bool,
    /// Whether it delivers messages.
    pub worker: bool,
    /// Whether it has a payment-gateway simulator.
    pub gateway: bool,
    /// The size of its pool of database connections; 0 without a database.
    pub pool: usize,
    /// Whether its database is Postgres.
    pub postgres: bool,
}

/// The experiments that have an effect on this process.
#[must_use]
pub fn experiments(affected: Affected) -> Vec<Experiment> {
    let Affected { api, worker, gateway, pool, postgres } = affected;
    let faults = |id: &'static str, mut settings: Value| {
        settings["seconds"] = SECONDS.into();
        Switch::Faults(json!({ id: settings }))
    };
    let behavior = |mut behavior: Value| {
        behavior["seconds"] = SECONDS.into();
        Switch::Gateway(behavior)
    };
    let all = [
        (
            api,
            "errors",
            "One request in five fails",
            "the error ratio; unhandled_exception in the log of a failed request",
            "HighErrorRate",
            faults("errors", json!({ "share": 0.2 })),
        ),
        (
            api,
            "latency",
            "Listing products takes 1.5 s more",
            "p95 and p99; the gap in the waterfall before the first query",
            "HighResponseTime",
            faults("latency", json!({ "endpoint": "/v1/products", "delay_ms": 1500 })),
        ),
        (
            gateway,
            "gateway_timeouts",
            "The payment gateway charges and never answers",
            "orders answer 202 and stay pending; the reconciler settles them in the same trace",
            "PaymentGatewayFailing",
            behavior(json!({ "timeout_rate": 1.0 })),
        ),
        (
            gateway,
            "gateway_errors",
            "The payment gateway answers 500",
            "three attempts in the waterfall, then the circuit breaker opens and calls end at once",
            "PaymentGatewayFailing",
            behavior(json!({ "error_rate": 0.9 })),
        ),
        (
            gateway,
            "gateway_declines",
            "Six cards in ten are declined",
            "orders answer 201 with payment_failed; their stock is released",
            "PaymentDeclinesHigh",
            behavior(json!({ "decline_rate": 0.6 })),
        ),
        (
            pool > 0,
            "held_connections",
            "All database connections are taken",
            "requests wait, then answer 503; in-flight requests pile up",
            "DatabaseConnectionsExhausted",
            faults("held_connections", json!({ "count": pool.max(1) })),
        ),
        (
            postgres,
            "slow_queries",
            "One transaction in five has a query of 1.5 s",
            "a long SELECT in the waterfall; slow_query in its log",
            "SlowQueries",
            faults("slow_queries", json!({ "delay_ms": 1500, "share": 0.2 })),
        ),
        (
            api,
            "cache_errors",
            "The cache fails",
            "each request reads its caller from the database: more SQL in every trace",
            "CacheUnavailable",
            faults("cache_errors", json!({})),
        ),
        (
            worker,
            "stalled_outbox",
            "The outbox stands still",
            "a paid order's trace ends with its response: no deliver order_paid",
            "OutboxBacklog",
            faults("stalled_outbox", json!({})),
        ),
        (
            worker,
            "rejected_notifications",
            "Half of the notifications are rejected",
            "outbox_message_dead_lettered in the trace of an order",
            "DeadLetters",
            faults("rejected_notifications", json!({ "share": 0.5 })),
        ),
        (
            api,
            "panics",
            "One handler in twenty panics",
            "a 500 with the place of the panic in its log; the process goes on",
            "HighErrorRate",
            faults("panics", json!({ "share": 0.05 })),
        ),
        (
            true,
            "memory",
            "Memory leaks, 10 MiB a second",
            "process_resident_memory_bytes at /metrics",
            "MemoryHigh",
            faults("memory", json!({ "mib": 512, "mib_per_second": 10 })),
        ),
    ];
    let possible = all.into_iter().filter(|(is_possible, ..)| *is_possible);
    let experiment = |(_, id, title, watch, alert, switch)| Experiment {
        id,
        title,
        watch,
        alert,
        runbook: name_of_alert(alert),
        switch,
    };
    possible.map(experiment).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use glasshouse_infra::faults::FaultPlan;
    use glasshouse_runbooks::Runbook;

    use super::*;

    const ALL: Affected = Affected { api: true, worker: true, gateway: true, pool: 10, postgres: true };

    #[test]
    fn every_alert_has_a_rule_and_a_runbook() {
        let rules = include_str!("../../../deploy/prometheus/rules/alerts.yml");
        for experiment in experiments(ALL) {
            assert!(rules.contains(&format!("- alert: {}\n", experiment.alert)), "{}", experiment.alert);
            assert!(Runbook::named(&experiment.runbook).is_some(), "{}", experiment.runbook);
        }
    }

    #[test]
    fn every_fault_is_offered_with_a_valid_plan() {
        let plan = FaultPlan::default();
        // The fields of a plan that is empty are left out of its JSON, but not of its Debug form.
        let text = format!("{plan:?}");
        let names: BTreeSet<_> = text
            .split(['{', ','])
            .filter_map(|field| field.split_once(": None"))
            .map(|(name, _)| name.trim().to_owned())
            .collect();
        assert!(names.len() >= 9, "{names:?}");
        let mut offered = BTreeSet::new();
        for experiment in experiments(ALL) {
            if let Switch::Faults(plan) = experiment.switch {
                serde_json::from_value::<FaultPlan>(plan.clone()).unwrap();
                offered.extend(plan.as_object().unwrap().keys().cloned());
            }
        }
        assert_eq!(offered, names);
    }
}
