//! Observes the alerts of an exercise, from the start of its scenario until they are resolved.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use time::OffsetDateTime;

use super::evidence::EvidenceSearch;
use crate::alertmanager_api::ReceivedAlert;
use crate::catalogue::{Exercise, TestEntry, WATCHDOG};
use crate::project::Project;
use crate::prometheus_api::ActiveAlert;
use crate::receiver::Deliveries;
use crate::report::{AlertOutcome, Outcome};
use crate::speed::Speed;
use crate::stack::Stack;

/// The observations of one exercise.
pub(super) struct Observation {
    exercise: Exercise,
    started: Instant,
    started_at: OffsetDateTime,
    /// When the fault was removed.
    fault_ended: Option<Instant>,
    alerts: Vec<ObservedAlert>,
    /// What a load test must leave.
    test_evidence: Option<EvidenceSearch>,
    /// The names of all alerts that have fired.
    fired: BTreeSet<String>,
}

/// An expected alert.
pub(super) struct ObservedAlert {
    pub(super) outcome: AlertOutcome,
    pub(super) evidence: EvidenceSearch,
    may_be_inhibited: bool,
    is_inhibited: bool,
    is_delivered_after: bool,
}

/// The state of Prometheus, Alertmanager and the receiver at one moment.
struct Snapshot {
    active: Vec<ActiveAlert>,
    received: Vec<ReceivedAlert>,
    deliveries: Deliveries,
    started_at: OffsetDateTime,
    since_start: Duration,
    /// `None` while the fault lasts.
    since_fault: Option<Duration>,
}

impl Observation {
    /// Starts now.
    ///
    /// # Errors
    /// The evidence is that of a process which the project lacks.
    pub(super) fn new(exercise: &Exercise, project: &Project, speed: Speed) -> Result<Self> {
        let alerts = exercise.alerts().iter().map(|alert| {
            let service = project.process(alert.evidence.of.as_deref())?.service();
            let search = EvidenceSearch::new(&alert.evidence, service, speed);
            let (name, evidence) = (alert.name.clone(), search.description());
            Ok(ObservedAlert {
                outcome: AlertOutcome { name, evidence, ..AlertOutcome::default() },
                evidence: search,
                may_be_inhibited: alert.inhibited_by.is_some(),
                is_inhibited: false,
                is_delivered_after: alert.delivered_after,
            })
        });
        let test_evidence = match exercise {
            Exercise::Alerts { .. } => None,
            Exercise::Test(TestEntry { evidence, .. }) => {
                let service = project.process(evidence.of.as_deref())?.service();
                Some(EvidenceSearch::new(evidence, service, speed))
            }
        };
        Ok(Self {
            alerts: alerts.collect::<Result<_>>()?,
            test_evidence,
            exercise: exercise.clone(),
            started: Instant::now(),
            started_at: OffsetDateTime::now_utc(),
            fault_ended: None,
            fired: BTreeSet::new(),
        })
    }

    /// Polls Prometheus, Alertmanager, the receiver and the evidence, and records every change.
    pub(super) async fn update(&mut self, stack: &Stack, progress: &dyn Fn(&str)) -> Result<()> {
        let snapshot = Snapshot {
            active: stack.prometheus().alerts().await?,
            received: stack.alertmanager().alerts().await?,
            deliveries: stack.receiver().deliveries().await?,
            started_at: self.started_at,
            since_start: self.started.elapsed(),
            since_fault: self.fault_ended.map(|ended| ended.elapsed()),
        };
        self.record_firing(&snapshot.active, progress);
        if let (Some(evidence), None) = (&mut self.test_evidence, self.fault_ended) {
            evidence.update(stack, self.started).await?;
        }
        for alert in &mut self.alerts {
            if self.fault_ended.is_none() {
                alert.evidence.update(stack, self.started).await?;
            }
            for change in alert.record(&snapshot) {
                progress(&format!(
                    "{} is {change} after {:.1} s",
                    alert.outcome.name,
                    snapshot.since_start.as_secs_f64()
                ));
            }
        }
        Ok(())
    }

    fn record_firing(&mut self, active: &[ActiveAlert], progress: &dyn Fn(&str)) {
        for alert in active.iter().filter(|alert| alert.is_firing()) {
            if self.fired.insert(alert.name().to_owned()) && !self.exercise.declares(alert.name()) {
                progress(&format!(
                    "{} is firing, which {} does not declare",
                    alert.name(),
                    self.exercise.name()
                ));
            }
        }
    }

    /// The evidence of a load test that was not found, for people.
    pub(super) fn missing_test_evidence(&self) -> Option<String> {
        self.test_evidence.as_ref().filter(|evidence| !evidence.is_complete()).map(EvidenceSearch::missing)
    }

    /// The time since the start of the scenario.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Marks all alerts that are not proven as failed, because the scenario has failed.
    pub(super) fn abort(&mut self) {
        for alert in self.unproven() {
            alert.outcome.problems.push("was not proven before the scenario failed".to_owned());
        }
    }

    /// Records that the fault has been removed.
    pub(super) fn end_fault(&mut self) {
        self.fault_ended = Some(Instant::now());
    }

    /// Whether each alert is proven or has failed.
    pub(super) fn is_decided(&self) -> bool {
        self.alerts.iter().all(|alert| !alert.outcome.problems.is_empty() || alert.is_proven())
    }

    /// The alerts that are neither proven nor failed.
    pub(super) fn unproven(&mut self) -> impl Iterator<Item = &mut ObservedAlert> {
        self.alerts.iter_mut().filter(|alert| alert.outcome.problems.is_empty() && !alert.is_proven())
    }

    /// The alerts that are proven.
    pub(super) fn proven(&mut self) -> impl Iterator<Item = &mut ObservedAlert> {
        self.alerts.iter_mut().filter(|alert| alert.is_proven())
    }

    /// Whether each alert is resolved, and the resolved notification was delivered.
    pub(super) fn is_resolved(&self) -> bool {
        self.alerts.iter().all(ObservedAlert::is_resolved)
    }

    /// The alerts that are not resolved, or whose resolved notification was not delivered.
    pub(super) fn unresolved(&mut self) -> impl Iterator<Item = &mut ObservedAlert> {
        self.alerts.iter_mut().filter(|alert| !alert.is_resolved())
    }

    /// Moves the observations into the outcome.
    pub(super) fn write_to(self, outcome: &mut Outcome) {
        let Self { alerts, fired, exercise, .. } = self;
        outcome.undeclared = fired.into_iter().filter(|name| !exercise.declares(name)).collect();
        outcome.alerts = alerts.into_iter().map(ObservedAlert::into_outcome).collect();
    }
}

impl ObservedAlert {
    /// Records the snapshot, and returns the new states for messages.
    fn record(&mut self, snapshot: &Snapshot) -> Vec<&'static str> {
        let Self { outcome, evidence, .. } = self;
        let name = outcome.name.clone();
        let instances: Vec<_> = snapshot.active.iter().filter(|active| active.name() == name).collect();
        // Of the alert that always fires, the report that it stays away is what fires.
        let is_missing = name == WATCHDOG && snapshot.deliveries.has_missing(&name, snapshot.started_at);
        let is_active = if name == WATCHDOG { is_missing } else { !instances.is_empty() };
        let is_firing = if name == WATCHDOG {
            is_missing && !snapshot.deliveries.has_resolved(&name, snapshot.started_at)
        } else {
            instances.iter().any(|active| active.is_firing())
        };
        let mut changes = Vec::new();
        let mut set_once = |state, time: &mut Option<Duration>, is_reached, now| {
            if is_reached && time.is_none() {
                *time = Some(now);
                changes.push(state);
            }
        };
        set_once("pending", &mut outcome.pending, is_active, snapshot.since_start);
        set_once("firing", &mut outcome.firing, is_firing, snapshot.since_start);
        let is_delivered = is_missing || snapshot.deliveries.has_firing(&name, snapshot.started_at);
        set_once("delivered", &mut outcome.delivered, is_delivered, snapshot.since_start);
        set_once(
            "evident in telemetry",
            &mut outcome.evidence_found,
            evidence.is_complete(),
            snapshot.since_start,
        );
        if let Some(since_fault) = snapshot.since_fault {
            // It may fire once more while the last samples of the fault are in its window.
            outcome.resolved = outcome.resolved.filter(|_| !is_firing);
            set_once("resolved", &mut outcome.resolved, !is_firing, since_fault);
            let is_delivered = snapshot.deliveries.has_resolved(&name, snapshot.started_at);
            set_once("delivered as resolved", &mut outcome.resolved_delivered, is_delivered, since_fault);
        }
        let is_suppressed =
            snapshot.received.iter().any(|alert| alert.name() == name && alert.suppression().is_some());
        if self.may_be_inhibited && is_suppressed && !self.is_inhibited {
            self.is_inhibited = true;
            changes.push("inhibited, as declared,");
        }
        changes
    }

    /// Whether the alert was delivered, or is inhibited as declared, or fires and can only be delivered later; and all evidence is
    /// found.
    fn is_proven(&self) -> bool {
        let waits = self.is_delivered_after && self.outcome.firing.is_some();
        (self.outcome.delivered.is_some() || self.is_inhibited || waits) && self.evidence.is_complete()
    }

    /// Whether the notification may still be delivered.
    pub(super) fn is_undeliverable(&self) -> bool {
        self.is_delivered_after
    }

    /// A failed alert that was never delivered needs no resolved notification.
    fn is_resolved(&self) -> bool {
        let has_failed = self.outcome.delivered.is_none() && !self.outcome.problems.is_empty();
        self.outcome.resolved.is_some() && (has_failed || self.outcome.resolved_delivered.is_some())
    }

    fn into_outcome(mut self) -> AlertOutcome {
        if self.outcome.evidence_found.is_none() {
            self.outcome.evidence = self.evidence.missing();
        }
        if self.outcome.resolved_delivered.is_none() && self.outcome.problems.is_empty() {
            self.outcome.problems.push("was not observed until it was resolved".to_owned());
        }
        self.outcome
    }
}
