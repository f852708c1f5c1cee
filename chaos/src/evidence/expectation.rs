//! What operators see when something breaks: the table of faults and their evidence. `make chaos` checks it, and writes it
//! into docs/reliability.md.

use std::fmt;
use std::time::Duration;

use glasshouse_drill::stack::{RecordKind, SpanKind};

use super::parts::Part;
use crate::system::Role;

/// The evidence of a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    /// The processes that report it.
    pub(super) reporters: &'static [Role],
    /// Alerts that become pending or fire. No other alert fires, except for those of `parts`. None if retries mask the fault.
    pub(super) alerts: &'static [&'static str],
    pub(super) metrics: &'static [Metric],
    pub(super) events: &'static [Event],
    pub(super) spans: &'static [FailedSpan],
    /// The parts that fail in consequence. What they report of it is allowed, and everything else is not.
    pub(super) parts: &'static [Part],
}

/// What a metric shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Metric {
    /// The series grows.
    Increases(&'static str),
    /// The series has this value for a moment.
    Is(&'static str, f64),
    /// Observations of the histogram exceed this bucket.
    Exceeds(&'static str, &'static str),
    /// The process was started again.
    Restarts,
}

/// A log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Named(&'static str),
    /// With the dependency that it is about.
    About(&'static str, &'static str),
}

/// A span with the status `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailedSpan {
    pub(super) name: &'static str,
    /// The attribute `error.type`, or `_OTHER` if it has none.
    pub(super) error: &'static str,
}

impl Expectation {
    /// Nothing needs to be seen, and the same parts may be reported.
    pub(super) const fn without_evidence(self) -> Self {
        Self { alerts: &[], metrics: &[], events: &[], spans: &[], ..self }
    }

    /// Whether a service, or a job of Prometheus, is one that reports the fault.
    pub(super) fn is_reporter(&self, service: &str) -> bool {
        self.reporters.iter().any(|role| role.service() == service)
    }

    /// Whether an alert belongs to the fault.
    pub(super) fn explains_alert(&self, name: &str) -> bool {
        self.alerts.contains(&name) || self.parts.iter().any(|part| part.alerts().contains(&name))
    }

    /// Whether a log record of a service belongs to the fault.
    pub(super) fn explains_record(&self, service: &str, kind: &RecordKind) -> bool {
        // Whatever process could not reach the gateway, the worker voids the open payments of cancelled orders.
        let is_void = kind.event == "payment_declined" && self.parts.contains(&Part::Gateway);
        is_void
            || self.is_from(service).any(|part| part.explains_record(kind))
            || (self.is_reporter(service) && self.events.iter().any(|event| event.matches(kind)))
    }

    /// Whether a failed span belongs to the fault.
    pub(super) fn explains_span(&self, kind: &SpanKind) -> bool {
        self.is_from(&kind.service).any(|part| part.explains_span(kind))
            || (self.is_reporter(&kind.service) && self.spans.iter().any(|span| span.matches(kind)))
    }

    /// The parts whose failure this service may report: locks of a failed process make every process wait for Postgres, and
    /// any other failure is seen by the reporters alone.
    fn is_from(&self, service: &str) -> impl Iterator<Item = Part> {
        let is_reporter = self.is_reporter(service);
        self.parts.iter().copied().filter(move |part| is_reporter || *part == Part::Postgres)
    }

    /// Whether counts may be lost, because a process ended or does not learn that its commit took effect.
    pub(super) fn loses_counts(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Process | Part::Postgres))
    }
}

impl Metric {
    /// A query that returns a series with `job` if the metric showed this in the last `window`.
    pub(super) fn query(self, window: Duration) -> String {
        let seconds = window.as_secs_f64();
        let window = format!("{}ms", window.as_millis());
        match self {
            // A series that is new has no increase.
            Self::Increases(series) => {
                format!(
                    "increase({series}[{window}]) > 0 or (({series} unless {series} offset {window}) > 0)"
                )
            }
            Self::Is(series, value) => format!(
                "max_over_time({series}[{window}]) == {value} or min_over_time({series}[{window}]) == {value}"
            ),
            Self::Exceeds(histogram, bucket) => format!(
                "sum by (job) (increase({histogram}_count[{window}])) \
                 > sum by (job) (increase({histogram}_bucket{{le=\"{bucket}\"}}[{window}])) + 0.5"
            ),
            // The start time is rounded to seconds. A process that was not scraped since the window began has no change.
            Self::Restarts => format!(
                "changes(process_start_time_seconds[{window}]) > 0 or time() - process_start_time_seconds < {seconds} + 1"
            ),
        }
    }
}

impl Event {
    pub(super) fn matches(self, kind: &RecordKind) -> bool {
        match self {
            Self::Named(name) => kind.event == name,
            Self::About(name, about) => kind.event == name && kind.about.as_deref() == Some(about),
        }
    }
}

impl FailedSpan {
    pub(super) fn matches(&self, kind: &SpanKind) -> bool {
        kind.name == self.name && kind.error.as_deref() == Some(self.error)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Increases(series) => write!(f, "`{series}` increases"),
            Self::Is(series, value) => write!(f, "`{series}` is {value}"),
            Self::Exceeds(histogram, bucket) => write!(f, "`{histogram}` exceeds {bucket} s"),
            Self::Restarts => f.write_str("`process_start_time_seconds` changes"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "`{name}`"),
            Self::About(name, about) => write!(f, "`{name}` of `{about}`"),
        }
    }
}

impl fmt::Display for FailedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` with `error.type={}`", self.name, self.error)
    }
}
