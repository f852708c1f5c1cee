use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use time::OffsetDateTime;

use crate::alertmanager_api::KnownAlert;
use crate::catalogue::Exercise;
use crate::evidence::Search;
use crate::receiver::Delivered;
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

/// What there is to be seen at one moment.
struct View {
    active: Vec<ActiveAlert>,
    known: Vec<KnownAlert>,
    delivered: Delivered,
    since: OffsetDateTime,
    passed: Duration,
    since_end: Option<Duration>,
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

    /// Looks at Prometheus, at Alertmanager, at the receiver and for evidence, and notes what is new.
    pub(super) async fn look(&mut self, stack: &Stack, progress: &dyn Fn(&str)) -> Result<()> {
        let view = View {
            active: stack.prometheus().alerts().await?,
            known: stack.alertmanager().alerts().await?,
            delivered: stack.receiver().delivered().await?,
            since: self.begun_at,
            passed: self.begun.elapsed(),
            since_end: self.ended.map(|ended| ended.elapsed()),
        };
        self.note_fired(&view.active, progress);
        for alert in &mut self.alerts {
            if self.ended.is_none() {
                alert.search.look(stack, self.begun).await?;
            }
            for news in alert.note(&view) {
                progress(&format!(
                    "{} is {news} after {:.1} s",
                    alert.outcome.name,
                    view.passed.as_secs_f64()
                ));
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

    /// Nothing more will be raised.
    pub(super) fn give_up(&mut self) {
        for alert in self.waiting() {
            alert
                .outcome
                .problems
                .push("was not raised, delivered and found before the scenario went wrong".to_owned());
        }
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
    /// Notes what is new, and tells it.
    fn note(&mut self, view: &View) -> Vec<&'static str> {
        let Self { outcome, .. } = self;
        let name = outcome.name.clone();
        let of_this_name: Vec<_> = view.active.iter().filter(|active| active.name() == name).collect();
        let fires = of_this_name.iter().any(|active| active.fires());
        let mut news = Vec::new();
        let mut happened = |what, time: &mut Option<Duration>, is_true, now| {
            if is_true && time.is_none() {
                *time = Some(now);
                news.push(what);
            }
        };
        happened("pending", &mut outcome.pending, !of_this_name.is_empty(), view.passed);
        happened("firing", &mut outcome.firing, fires, view.passed);
        let was_delivered = view.delivered.has_fired(&name, view.since);
        happened("delivered", &mut outcome.delivered, was_delivered, view.passed);
        if let Some(since_end) = view.since_end {
            // It may come back once, while the last samples of the cause are still in its window.
            outcome.resolved = outcome.resolved.filter(|_| !fires);
            happened("over", &mut outcome.resolved, !fires, since_end);
            let was_delivered = view.delivered.has_resolved(&name, view.since);
            happened("delivered as over", &mut outcome.resolved_delivered, was_delivered, since_end);
        }
        let is_held_back = view.known.iter().any(|known| known.name() == name && known.held_back().is_some());
        if self.may_be_held_back && is_held_back && !self.is_held_back {
            self.is_held_back = true;
            news.push("held back, as declared,");
        }
        news
    }

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
