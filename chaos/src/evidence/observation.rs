//! What was seen of a fault.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use anyhow::Result;
use glasshouse_drill::catalogue::WATCHDOG;
use glasshouse_drill::stack::{RecordKind, Records, SpanKind};

use super::expectation::{Expectation, Metric};
use super::parts::Part;
use crate::system::{Role, System};

/// The log records and spans until now.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    records: HashMap<Origin, Records>,
    spans: HashMap<SpanKind, u64>,
}

/// A kind of log records of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    role: Role,
    process: String,
    kind: RecordKind,
}

/// The telemetry of a fault.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    alerts: BTreeSet<Alert>,
    /// The metrics of the expectation that changed as expected.
    metrics: Vec<Metric>,
    /// The new log records, with the last one of each kind.
    records: HashMap<Origin, String>,
    /// The new spans.
    spans: Vec<SpanKind>,
}

/// An alert that was active.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) is_firing: bool,
}

/// Whether an alert says something about one fault. Those of the error budgets have windows of hours, in which there are several
/// faults. Watchdog always fires, and TrafficAbsent is about the load, which ends before the last check.
fn is_of_a_fault(alert: &str) -> bool {
    !alert.contains("BudgetBurn") && alert != WATCHDOG && alert != "TrafficAbsent"
}

/// The names of the alerts that are pending or firing.
pub(super) async fn active_alerts(system: &System) -> Result<BTreeSet<String>> {
    let alerts = system.monitoring.prometheus.alerts().await?;
    let names = alerts.iter().map(|alert| alert.name().to_owned());
    Ok(names.filter(|name| is_of_a_fault(name)).collect())
}

impl Snapshot {
    pub(super) fn take(system: &System) -> Self {
        let records = system.processes().flat_map(|process| {
            process.output().records().into_iter().map(|(kind, records)| {
                (Origin { role: process.role(), process: process.to_string(), kind }, records)
            })
        });
        Self { records: records.collect(), spans: system.monitoring.spans.counts() }
    }
}

impl Observation {
    /// What was seen since an instant, at which the system was at rest.
    pub(super) async fn since(
        instant: Instant,
        before: &Snapshot,
        system: &System,
        expectation: &Expectation,
    ) -> Result<Self> {
        let window = instant.elapsed();
        let prometheus = &system.monitoring.prometheus;
        let milliseconds = window.as_millis();
        let query = format!("max by (alertname, alertstate) (max_over_time(ALERTS[{milliseconds}ms]))");
        let alerts = prometheus.query(&query).await?.into_iter().filter_map(|sample| {
            let name = sample.metric.get("alertname")?.clone();
            let is_firing = sample.metric.get("alertstate")? == "firing";
            is_of_a_fault(&name).then_some(Alert { name, is_firing })
        });
        let alerts = alerts.collect();
        let mut metrics = Vec::new();
        for metric in expectation.metrics {
            let samples = prometheus.query(&metric.query(window)).await?;
            let jobs = samples.iter().filter_map(|sample| sample.metric.get("job"));
            if jobs.into_iter().any(|job| expectation.is_reporter(job)) {
                metrics.push(*metric);
            }
        }
        let Snapshot { records, spans } = Snapshot::take(system);
        let known = |origin: &Origin| before.records.get(origin).map_or(0, |records| records.count);
        let new_records = records.into_iter().filter(|(key, records)| records.count > known(key));
        let new_spans =
            spans.into_iter().filter(|(kind, count)| *count > before.spans.get(kind).copied().unwrap_or(0));
        Ok(Self {
            alerts,
            metrics,
            records: new_records.map(|(key, records)| (key, records.text)).collect(),
            spans: new_spans.map(|(kind, _)| kind).collect(),
        })
    }

    /// What is expected and was not seen.
    pub(super) fn missing(&self, expectation: &Expectation) -> Vec<String> {
        let mut missing = Vec::new();
        // Without samples of a process, this is the alert instead of any other.
        let instance_down = self.alerts.iter().any(|alert| alert.name == "InstanceDown" && alert.is_firing);
        for name in expectation.alerts {
            if !instance_down && !self.alerts.iter().any(|alert| alert.name == *name) {
                missing.push(format!("the alert {name} was not pending"));
            }
        }
        for metric in expectation.metrics {
            if !self.metrics.contains(metric) {
                missing.push(format!("the metric did not show it: {metric}"));
            }
        }
        for event in expectation.events {
            let is_it = |Origin { role, kind, .. }: &Origin| {
                expectation.is_reporter(role.service()) && event.matches(kind)
            };
            if !self.records.keys().any(is_it) {
                missing.push(format!("there was no log record {event}"));
            }
        }
        for span in expectation.spans {
            let is_it = |kind: &&SpanKind| expectation.is_reporter(&kind.service) && span.matches(kind);
            if !self.spans.iter().any(|kind| is_it(&kind)) {
                missing.push(format!("there was no failed span {span}"));
            }
        }
        missing
    }

    /// What was seen and does not belong to the fault: firing alerts, log records of warnings and errors, and failed
    /// spans.
    ///
    /// The system shares the machine with this program and others, so anything may be slow at any time: what says that
    /// something took too long belongs to every fault.
    pub(super) fn unexpected(&self, expectation: &Expectation) -> Vec<String> {
        let slow: Vec<_> = Part::ALL.into_iter().filter(|part| self.is_slow(*part)).collect();
        let firing = self.alerts.iter().filter(|alert| alert.is_firing).map(|alert| alert.name.as_str());
        let alerts = firing.filter(|name| {
            !expectation.explains_alert(name)
                && !SLOWNESS_ALERTS.contains(name)
                && !slow.iter().any(|part| part.alerts().contains(name))
        });
        let mut unexpected: Vec<_> = alerts.map(|name| format!("the alert {name} fired")).collect();

        let problems =
            self.records.iter().filter(|(origin, _)| matches!(origin.kind.level.as_str(), "WARN" | "ERROR"));
        let records = problems.filter(|(Origin { role, kind, .. }, _)| {
            !expectation.explains_record(role.service(), kind)
                && !SLOWNESS_EVENTS.contains(&kind.event.as_str())
                && !slow.iter().any(|part| part.explains_record(kind))
        });
        unexpected.extend(records.map(|(origin, text)| format!("log record of {}: {text}", origin.process)));

        let failed = self.spans.iter().filter(|kind| kind.error.is_some());
        let spans = failed.filter(|kind| {
            !expectation.explains_span(kind) && !slow.iter().any(|part| part.explains_span(kind))
        });
        unexpected.extend(spans.map(|kind| {
            let SpanKind { service, name, error, .. } = kind;
            format!("failed span of {service}: {name}, error {}", error.as_deref().unwrap_or_default())
        }));
        unexpected.sort();
        unexpected
    }

    /// Whether a part did not respond in time.
    fn is_slow(&self, part: Part) -> bool {
        let timed_out = |(origin, text): (&Origin, &String)| {
            part.explains_record(&origin.kind) && TIMEOUTS.iter().any(|words| text.contains(words))
        };
        let has_timeout =
            |kind: &SpanKind| part.explains_span(kind) && kind.error.as_deref() == Some("timeout");
        self.records.iter().any(timed_out) || self.spans.iter().any(has_timeout)
    }
}

/// How a log record says that something took too long.
const TIMEOUTS: [&str; 6] = [
    "did not respond within",
    "did not answer in time",
    "timed out",
    "timeout",
    "deadline has elapsed",
    "slow_query",
];

/// What a slow machine causes without a timeout. A scrape that takes longer than its interval fails.
const SLOWNESS_ALERTS: [&str; 3] = ["HighResponseTime", "InstanceDown", "SlowQueries"];
const SLOWNESS_EVENTS: [&str; 2] = ["outbox_lease_lost", "slow_query"];
