//! Whether what a runbook sends people to can be found.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::catalogue::Evidence;
use crate::speed::Speed;
use crate::stack::Stack;

/// What has been found of an alert's evidence, and what has not.
#[derive(Debug)]
pub struct Search {
    clues: Vec<Clue>,
    evidence: Evidence,
    speed: Speed,
    /// When it was last looked for.
    looked: Option<Instant>,
}

/// How long evidence stays unasked for: its stores have more to do than to be searched.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Clue {
    kind: Kind,
    is_found: bool,
}

#[derive(Debug)]
enum Kind {
    Log(String),
    Span(String),
    Metric(String),
}

impl Search {
    /// Begins to look for this.
    pub fn new(evidence: &Evidence, speed: Speed) -> Self {
        let Evidence { log, span, metric, .. } = evidence.clone();
        let kinds = [log.map(Kind::Log), span.map(Kind::Span), metric.map(Kind::Metric)];
        let clues = kinds.into_iter().flatten().map(|kind| Clue { kind, is_found: false }).collect();
        Self { clues, evidence: evidence.clone(), speed, looked: None }
    }

    /// Looks again; what has been found stays found.
    pub async fn look(&mut self, stack: &Stack, since: Instant) -> Result<()> {
        if self.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        for clue in self.clues.iter_mut().filter(|clue| !clue.is_found) {
            let of = self.evidence.of;
            clue.is_found = match &clue.kind {
                Kind::Log(event) => stack.has_logged(of, event, since).await?,
                Kind::Span(name) => stack.has_traced(of, name, since).await?,
                Kind::Metric(query) => {
                    let query = self.speed.divide_expression(query)?;
                    let samples = stack.prometheus().query(&query).await;
                    !samples.with_context(|| format!("the evidence {query}"))?.is_empty()
                }
            };
        }
        Ok(())
    }

    /// Whether all of it has been found.
    pub fn is_complete(&self) -> bool {
        self.clues.iter().all(|clue| clue.is_found)
    }

    /// What was looked for, for people.
    pub fn description(&self) -> String {
        self.clues.iter().map(|clue| self.name(clue)).collect::<Vec<_>>().join(", ")
    }

    /// What has not been found, for people.
    pub fn missing(&self) -> String {
        let missing = self.clues.iter().filter(|clue| !clue.is_found);
        missing.map(|clue| self.name(clue)).collect::<Vec<_>>().join(", ")
    }

    fn name(&self, clue: &Clue) -> String {
        let service = self.evidence.of.service();
        match &clue.kind {
            Kind::Log(event) => format!("log {event} of {service}"),
            Kind::Span(name) => format!("span {name} of {service}"),
            Kind::Metric(query) => format!("metric {query}"),
        }
    }
}
