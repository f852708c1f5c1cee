//! Checks after each fault that the telemetry showed it, and nothing that did not happen.
//!
//! - [`faults`]: what operators see of each fault. **Start reading here.** It is written with [`expectation`] and [`parts`].
//! - [`observation`]: what was seen: alerts, metrics, log records and spans.
//! - [`outcomes`]: what the metrics counted, against the rows of the database.
//! - [`leaks`]: what the system holds when it is at rest.

mod expectation;
mod faults;
mod leaks;
mod observation;
mod outcomes;
mod parts;
mod table;

use std::time::{Duration, Instant};

use anyhow::Result;
use glasshouse_drill::polling::poll_until;

use crate::books::{Finding, Kind};
use crate::faults::Fault;
use crate::system::System;
use leaks::{Held, Leak};
use observation::{Observation, Snapshot};
use outcomes::Outcomes;
pub(crate) use table::table;

/// The telemetry before a fault.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    at: Instant,
    snapshot: Snapshot,
    outcomes: Outcomes,
}

/// The check of the telemetry of a run.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// What the system held at rest before the first fault, and what has leaked since.
    baseline: Option<Held>,
}

/// How long telemetry may take to show a fault, and alerts to be resolved. It is longer than the windows of the alerts and the time
/// for which they keep firing, and than the interval at which spans are exported.
const TIMEOUT: Duration = Duration::from_secs(15);

impl Evidence {
    /// Notes what the telemetry shows while the system is at rest.
    ///
    /// # Errors
    /// A process does not respond, or Postgres fails.
    pub(crate) async fn before(&self, system: &System) -> Result<Before> {
        let (snapshot, outcomes) = (Snapshot::take(system), Outcomes::read(system).await?);
        Ok(Before { at: Instant::now(), snapshot, outcomes })
    }

    /// Waits until no alert is active. Returns the alerts that do not resolve.
    ///
    /// # Errors
    /// Prometheus fails.
    pub(crate) async fn resolved(&self, system: &System) -> Result<Vec<Finding>> {
        let quiet = async || Ok(observation::active_alerts(system).await?.is_empty().then_some(()));
        if poll_until(TIMEOUT, quiet).await?.is_some() {
            return Ok(Vec::new());
        }
        let active = observation::active_alerts(system).await?;
        Ok(active.into_iter().map(|alert| unexpected("alerts_resolve", alert)).collect())
    }

    /// Compares what the telemetry showed since `before` with what is expected of the fault, if it took effect. The system is
    /// at rest.
    ///
    /// # Errors
    /// A process does not respond, or Prometheus, Postgres or Redis fails.
    pub(crate) async fn check(
        &self,
        fault: &Fault,
        took_effect: bool,
        system: &System,
        before: &Before,
    ) -> Result<Vec<Finding>> {
        let expectation = fault.expectation();
        let expectation = if took_effect { expectation } else { expectation.without_evidence() };
        let mut findings = Vec::new();
        let complete = poll_until(TIMEOUT, async || {
            let seen = Observation::since(before.at, &before.snapshot, system, &expectation).await?;
            Ok(seen.missing(&expectation).is_empty().then_some(seen))
        });
        let seen = match complete.await? {
            Some(seen) => seen,
            None => Observation::since(before.at, &before.snapshot, system, &expectation).await?,
        };
        let missing = seen.missing(&expectation).into_iter();
        findings.extend(missing.map(|text| Finding::new(Kind::Telemetry, "the_fault_is_reported", 1, text)));
        let reported = seen.unexpected(&expectation).into_iter();
        findings.extend(reported.map(|text| unexpected("only_the_fault_is_reported", text)));
        let outcomes = Outcomes::read(system).await?;
        findings.extend(
            outcomes
                .wrong(&before.outcomes, expectation.loses_counts())
                .into_iter()
                .map(|text| unexpected("counters_match_the_books", text)),
        );
        Ok(findings)
    }

    /// What the system still holds that it did not hold before the first fault.
    ///
    /// # Errors
    /// A process does not respond, or Postgres or Redis fails.
    pub(crate) async fn leaks(&mut self, system: &System) -> Result<Vec<Finding>> {
        let Some(baseline) = &self.baseline else {
            self.baseline = Some(Held::read(system).await?);
            return Ok(Vec::new());
        };
        let mut held = Held::read(system).await?;
        let nothing = poll_until(TIMEOUT, async || {
            held = Held::read(system).await?.still(&held);
            Ok(held.leaks(baseline).is_empty().then_some(()))
        });
        nothing.await?;
        let leaks = held.leaks(baseline);
        if !leaks.is_empty() {
            // What leaked stays so, and is reported once.
            self.baseline = Some(held);
        }
        let finding = |leak: Leak| Finding::new(Kind::Leak, "nothing_is_held", leak.count, leak.text);
        Ok(leaks.into_iter().map(finding).collect())
    }
}

fn unexpected(check: &str, text: String) -> Finding {
    Finding::new(Kind::Telemetry, check, 1, text)
}
