//! A drill: cause a fault, and see its alert being raised, delivered and resolved.

mod faults;
mod patience;
mod sighting;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::catalogue::Exercise;
use crate::diagnosis;
use crate::k6::Scenario;
use crate::report::Outcome;
use crate::stack::Stack;
use crate::watch::{GLANCE, until};

pub use patience::Patience;
use sighting::Sighting;

/// How many processes of the service Prometheus must reach before anything counts as healthy.
const HEALTHY: &str = "count(up == 1) == 3";

/// Runs exercises on a stack, one after the other.
pub struct Drill<'a> {
    /// The stack.
    pub stack: &'a mut Stack,
    /// How long each step may take.
    pub patience: Patience,
    /// Is told what happens while people wait.
    pub progress: &'a dyn Fn(&str),
}

impl Drill<'_> {
    /// Runs an exercise. Whatever goes wrong is in the outcome; the stack is healthy again afterwards, or
    /// the outcome says that it is not.
    pub async fn run(&mut self, exercise: &Exercise) -> Outcome {
        let begun = Instant::now();
        let mut outcome = Outcome { scenario: exercise.name().to_owned(), ..Outcome::default() };
        let mut sighting = None;
        if let Err(error) = self.attempt(exercise, &mut sighting, &mut outcome.problems).await {
            outcome.problems.push(format!("{error:#}"));
        }
        if let Some(sighting) = sighting {
            sighting.tell(&mut outcome);
        }
        outcome.took = begun.elapsed();
        outcome
    }

    async fn attempt(
        &mut self,
        exercise: &Exercise,
        sighting: &mut Option<Sighting>,
        problems: &mut Vec<String>,
    ) -> Result<()> {
        self.stack.forget().await?;
        self.wait_for_silence().await.context("the baseline is not healthy")?;
        let mut scenario = self.start(exercise).await?;
        let sighting = sighting.insert(Sighting::new(exercise, self.stack.options().speed));
        if let Err(error) = self.while_it_runs(exercise, &mut scenario, sighting).await {
            problems.push(format!("{error:#}"));
            sighting.give_up();
        }
        // Whatever happened, everything is put back before the next exercise.
        self.end(exercise, &mut scenario, sighting, problems).await?;
        self.watch_the_end(sighting).await
    }

    /// The cause lasts until it is ended, unless the scenario must show that it ends well by itself.
    async fn start(&self, exercise: &Exercise) -> Result<Scenario> {
        let name = exercise.name();
        (self.progress)(&format!("{name}: k6 begins"));
        let lasting = (!exercise.runs_to_its_end()).then(|| self.patience.until_proven());
        Scenario::start(self.stack, name, lasting).await
    }

    /// Healthy, and no alert pending or firing for a while.
    async fn wait_for_silence(&mut self) -> Result<()> {
        let (end, mut quiet_since) = (Instant::now() + self.patience.silence, Instant::now());
        loop {
            let alerts = self.stack.prometheus().alerts().await?;
            let is_healthy = !self.stack.prometheus().query(HEALTHY).await?.is_empty();
            if !alerts.is_empty() || !is_healthy {
                quiet_since = Instant::now();
            }
            if quiet_since.elapsed() >= self.patience.quiet {
                return Ok(());
            }
            if Instant::now() >= end {
                let mut names: Vec<_> = alerts.iter().map(|alert| alert.name()).collect();
                names.sort_unstable();
                names.dedup();
                ensure!(is_healthy, "Prometheus does not reach all processes of the service");
                bail!("there are alerts after {:?}: {}", self.patience.silence, names.join(", "));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn while_it_runs(
        &mut self,
        exercise: &Exercise,
        scenario: &mut Scenario,
        sighting: &mut Sighting,
    ) -> Result<()> {
        if let Some(part) = exercise.stop() {
            scenario.running().await?;
            (self.progress)(&format!("{}: {part} is stopped", exercise.name()));
            self.stack.stop(part).await?;
        }
        let latest = Instant::now() + self.patience.run;
        loop {
            sighting.look(self.stack, self.progress).await?;
            if let Some(failure) = scenario.failure()? {
                bail!("{failure}");
            }
            if let Some(casualty) = self.stack.casualty().await? {
                bail!("{casualty}");
            }
            let has_ended = !exercise.runs_to_its_end() || scenario.has_ended()?;
            if sighting.all_proven() && has_ended {
                return Ok(());
            }
            self.explain_delay(sighting).await?;
            if sighting.is_hopeless() && has_ended {
                return Ok(());
            }
            ensure!(Instant::now() < latest, "the scenario did not end within {:?}", self.patience.run);
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Names the cause for each alert that is late with a step.
    async fn explain_delay(&self, sighting: &mut Sighting) -> Result<()> {
        let (passed, patience) = (sighting.passed(), self.patience);
        for alert in sighting.waiting() {
            let name = alert.outcome.name.clone();
            let outcome = &mut alert.outcome;
            let late = |since: Option<Duration>, patience| {
                passed.saturating_sub(since.unwrap_or_default()) > patience
            };
            let problem = match (outcome.pending, outcome.firing, outcome.delivered) {
                (None, ..) if late(None, patience.pending) => {
                    let cause = diagnosis::of_silence(self.stack, &name, passed).await?;
                    format!("never became pending: {cause}")
                }
                (pending @ Some(_), None, _) if late(pending, patience.firing) => {
                    format!(
                        "was pending, but never fired: {}",
                        diagnosis::of_hesitation(self.stack, &name).await?
                    )
                }
                (_, firing @ Some(_), None) if late(firing, patience.delivered) => {
                    let cause = diagnosis::of_undelivered(self.stack, &name).await?;
                    format!("fired, but was not delivered: {cause}")
                }
                (_, _, delivered @ Some(_)) if late(delivered, patience.evidence) => {
                    format!("was delivered, but its evidence is missing: {}", alert.search.missing())
                }
                _ => continue,
            };
            (self.progress)(&format!("{name} {problem}"));
            alert.outcome.problems.push(problem);
        }
        Ok(())
    }

    /// Ends the cause, and checks that the scenario put back what it changed.
    async fn end(
        &mut self,
        exercise: &Exercise,
        scenario: &mut Scenario,
        sighting: &mut Sighting,
        problems: &mut Vec<String>,
    ) -> Result<()> {
        problems.extend(scenario.interrupt().await.unwrap_or_else(|error| Some(format!("{error:#}"))));
        if let Some(part) = exercise.stop() {
            self.stack.start_again(part).await?;
            (self.progress)(&format!("{}: {part} is back", exercise.name()));
        }
        sighting.cause_ended();
        let left = faults::left_on(self.stack.addresses()).await?;
        if !left.is_empty() {
            problems.push(format!("the scenario left faults on: {}", left.join(", ")));
            faults::end_all(self.stack.addresses()).await?;
        }
        Ok(())
    }

    /// Waits until every alert that was delivered is over, and that is delivered too.
    async fn watch_the_end(&mut self, sighting: &mut Sighting) -> Result<()> {
        let (stack, progress) = (&*self.stack, self.progress);
        let over = until(self.patience.resolved, async || {
            sighting.look(stack, progress).await?;
            Ok(sighting.all_over().then_some(()))
        });
        if over.await?.is_some() {
            return Ok(());
        }
        for alert in sighting.lasting() {
            let problem = match alert.outcome.resolved {
                None => "is not over although its cause has ended".to_owned(),
                Some(_) if alert.outcome.delivered.is_none() => "fired and was never delivered".to_owned(),
                Some(_) => {
                    let cause = diagnosis::of_undelivered(stack, &alert.outcome.name).await?;
                    format!("is over, but that was not delivered: {cause}")
                }
            };
            progress(&format!("{} {problem}", alert.outcome.name));
            alert.outcome.problems.push(problem);
        }
        Ok(())
    }
}
