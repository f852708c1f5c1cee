use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use time::OffsetDateTime;

use crate::catalogue::Exercise;
use crate::evidence::Search;
use crate::report::{AlertOutcome, Outcome};
use crate::speed::Speed;
use crate::stack::Stack;
use crate::watch::ActiveAlert;

/// What is seen while an exercise runs.
pub(super) struct Sighting {
    exercise: Exercise,
    begun: Instant,
    begun_at: OffsetDateTime,
    ended: Option<Instant>,
    alerts: Vec<SeenAlert>,
    fired: BTreeSet<String>,
}

/// What is seen of an alert that must be raised.
pub(super) struct SeenAlert {
    pub(super) outcome: AlertOutcome,
    pub(super) search: Search,
    may_be_held_back: bool,
    is_held_back: bool,
}

impl Sighting {
    pub(super) fn new(exercise: &Exercise, speed: Speed) -> Self {
        let alerts = exercise.alerts().iter().map(|alert| {
            let search = Search::new(&alert.evidence, speed);
            let (name, evidence) = (alert.name.clone(), search.description());
            SeenAlert {
                outcome: AlertOutcome { name, evidence, ..AlertOutcome::default() },
                search,
                may_be_held_back: alert.held_back_by.is_some(),
                is_held_back: false,
            }
        });
        Self {
            exercise: exercise.clone(),
            begun: Instant::now(),
            begun_at: OffsetDateTime::now_utc(),
            ended: None,
            alerts: alerts.collect(),
            fired: BTreeSet::new(),
        }
    }

    /// Looks at Prometheus, at the receiver and for evidence, and notes what is new.
    pub(super) async fn look(&mut self, stack: &Stack, progress: &dyn Fn(&str)) -> Result<()> {
        let active = stack.prometheus().alerts().await?;
        self.note_fired(&active, progress);
        let (passed, deliveries) = (self.begun.elapsed(), stack.receiver().deliveries());
        let since_end = self.ended.map(|ended| ended.elapsed());
        let known = stack.alertmanager().alerts().await?;
        for alert in &mut self.alerts {
            if since_end.is_none() {
                alert.search.look(stack, self.begun).await?;
            }
            let outcome = &mut alert.outcome;
            let is_held_back =
                known.iter().any(|known| known.name() == outcome.name && known.held_back().is_some());
            if alert.may_be_held_back && is_held_back && !alert.is_held_back {
                alert.is_held_back = true;
                progress(&format!("{} is held back by another alert, as declared", outcome.name));
            }
            let mut of_this_name = active.iter().filter(|active| active.name() == outcome.name);
            let (is_active, fires) =
                (of_this_name.clone().next().is_some(), of_this_name.any(ActiveAlert::fires));
            let told = |what: &str| {
                progress(&format!("{} is {what} after {:.1} s", outcome.name, passed.as_secs_f64()))
            };
            if is_active && outcome.pending.is_none() {
                outcome.pending = Some(passed);
                told("pending");
            }
            if fires && outcome.firing.is_none() {
                outcome.firing = Some(passed);
                told("firing");
            }
            if outcome.delivered.is_none() && deliveries.has_fired(&outcome.name, self.begun_at) {
                outcome.delivered = Some(passed);
                told("delivered");
            }
            let Some(since_end) = since_end else { continue };
            outcome.resolved = outcome.resolved.or(Some(since_end)).filter(|_| !fires);
            if outcome.resolved_delivered.is_none() && deliveries.has_resolved(&outcome.name, self.begun_at) {
                outcome.resolved_delivered = Some(since_end);
                told("over and delivered as resolved");
            }
        }
        Ok(())
    }

    /// Notes which alerts fire.
    pub(super) fn note_fired(&mut self, active: &[ActiveAlert], progress: &dyn Fn(&str)) {
        for alert in active.iter().filter(|alert| alert.fires()) {
            if self.fired.insert(alert.name().to_owned()) && !self.exercise.declares(alert.name()) {
                progress(&format!("{} fires, which {} does not declare", alert.name(), self.exercise.name()));
            }
        }
    }

    /// How long the scenario has been running.
    pub(super) fn passed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// From now on it should become silent.
    pub(super) fn cause_ended(&mut self) {
        self.ended = Some(Instant::now());
    }

    /// Whether every alert has been delivered, or is rightly held back, and its evidence found.
    pub(super) fn all_proven(&self) -> bool {
        self.alerts.iter().all(SeenAlert::is_proven)
    }

    /// Whether nothing more is to be expected of the alerts that must be raised.
    pub(super) fn is_hopeless(&self) -> bool {
        self.alerts.iter().all(|alert| !alert.outcome.problems.is_empty() || alert.is_proven())
    }

    /// The alerts of which something is still to be expected.
    pub(super) fn waiting(&mut self) -> impl Iterator<Item = &mut SeenAlert> {
        self.alerts.iter_mut().filter(|alert| alert.outcome.problems.is_empty() && !alert.is_proven())
    }

    pub(super) fn all_over(&self) -> bool {
        self.alerts.iter().all(SeenAlert::is_over)
    }

    /// The alerts that were delivered and are not over.
    pub(super) fn lasting(&mut self) -> impl Iterator<Item = &mut SeenAlert> {
        self.alerts.iter_mut().filter(|alert| !alert.is_over())
    }

    /// Puts what was seen into the outcome.
    pub(super) fn tell(self, outcome: &mut Outcome) {
        let Self { alerts, fired, exercise, .. } = self;
        outcome.unexpected = fired.into_iter().filter(|name| !exercise.declares(name)).collect();
        outcome.alerts = alerts.into_iter().map(SeenAlert::into_outcome).collect();
    }
}

impl SeenAlert {
    fn is_proven(&self) -> bool {
        (self.outcome.delivered.is_some() || self.is_held_back) && self.search.is_complete()
    }

    /// Of an alert that went wrong and was never delivered, no delivery of its end is to be expected.
    fn is_over(&self) -> bool {
        let is_lost = self.outcome.delivered.is_none() && !self.outcome.problems.is_empty();
        self.outcome.resolved.is_some() && (is_lost || self.outcome.resolved_delivered.is_some())
    }

    fn into_outcome(mut self) -> AlertOutcome {
        self.outcome.evidence_found = self.search.is_complete();
        if self.outcome.resolved_delivered.is_none() && self.outcome.problems.is_empty() {
            self.outcome.problems.push("was not seen to its end".to_owned());
        }
        self.outcome
    }
}
