//! Searches for the evidence of an alert: the log records, spans and metrics that its runbook refers to.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::catalogue::Evidence;
use crate::speed::Speed;
use crate::stack::Stack;

/// The shortest interval between two searches, which keeps the load on Loki, Tempo and Prometheus low.
const SEARCH_INTERVAL: Duration = Duration::from_millis(500);

/// The search for the evidence of one alert.
#[derive(Debug)]
pub(super) struct EvidenceSearch {
    items: Vec<Item>,
    /// The process that emits log records and spans.
    service: String,
    speed: Speed,
    last_search: Option<Instant>,
}

#[derive(Debug)]
struct Item {
    signal: Signal,
    is_found: bool,
}

#[derive(Debug)]
enum Signal {
    /// The event of a log record.
    Log(String),
    /// The name of a span.
    Span(String),
    /// A query in PromQL.
    Metric(String),
}

impl EvidenceSearch {
    pub(super) fn new(evidence: &Evidence, service: &str, speed: Speed) -> Self {
        let Evidence { log, span, metric, .. } = evidence.clone();
        let signals = [log.map(Signal::Log), span.map(Signal::Span), metric.map(Signal::Metric)];
        let items = signals.into_iter().flatten().map(|signal| Item { signal, is_found: false }).collect();
        Self { items, service: service.to_owned(), speed, last_search: None }
    }

    /// Searches for the missing items, unless the last search was less than [`SEARCH_INTERVAL`] ago.
    pub(super) async fn update(&mut self, stack: &Stack, since: Instant) -> Result<()> {
        if self.last_search.is_some_and(|last| last.elapsed() < SEARCH_INTERVAL) {
            return Ok(());
        }
        self.last_search = Some(Instant::now());
        for item in self.items.iter_mut().filter(|item| !item.is_found) {
            let service = &self.service;
            item.is_found = match &item.signal {
                Signal::Log(event) => stack.has_log_record(service, event, since).await?,
                Signal::Span(name) => stack.has_span(service, name, since).await?,
                Signal::Metric(query) => {
                    let query = self.speed.divide_expression(query)?;
                    let samples = stack.prometheus().query(&query).await;
                    !samples.with_context(|| format!("the evidence {query}"))?.is_empty()
                }
            };
        }
        Ok(())
    }

    /// Whether all evidence has been found.
    pub(super) fn is_complete(&self) -> bool {
        self.items.iter().all(|item| item.is_found)
    }

    /// All evidence, for people.
    pub(super) fn description(&self) -> String {
        self.items.iter().map(|item| self.name(item)).collect::<Vec<_>>().join(", ")
    }

    /// The missing evidence, for people.
    pub(super) fn missing(&self) -> String {
        let missing = self.items.iter().filter(|item| !item.is_found);
        missing.map(|item| self.name(item)).collect::<Vec<_>>().join(", ")
    }

    fn name(&self, item: &Item) -> String {
        let service = &self.service;
        match &item.signal {
            Signal::Log(event) => format!("log {event} of {service}"),
            Signal::Span(name) => format!("span {name} of {service}"),
            Signal::Metric(query) => format!("metric {query}"),
        }
    }
}
