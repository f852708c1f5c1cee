//! Runs an exercise: causes a fault, and observes its alerts as pending, firing, delivered and resolved.

mod diagnosis;
mod evidence;
mod faults;
mod observation;
mod scenario;
mod timeouts;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use time::OffsetDateTime;

use crate::catalogue::{Component, Exercise, WATCHDOG};
use crate::polling::{POLL_INTERVAL, poll_until};
use crate::report::{AlertOutcome, Outcome};
use crate::runbook_queries::{QueryLanguage, RunbookQuery, runbook_queries};
use crate::stack::{Options, Stack};
use observation::Observation;
use scenario::Scenario;
pub use timeouts::Timeouts;

/// Runs exercises on a stack, one after the other.
pub struct Runner<'a> {
    /// The stack.
    pub stack: &'a mut Stack,
    /// The timeouts of the steps.
    pub timeouts: Timeouts,
    /// Called with a message about each step.
    pub progress: &'a dyn Fn(&str),
}

impl Runner<'_> {
    /// Runs an exercise. Every failure is a problem of the outcome. Afterwards the stack is healthy again, or the
    /// outcome reports that it is not.
    pub async fn run(&mut self, exercise: &Exercise) -> Outcome {
        let started = Instant::now();
        let mut outcome = Outcome { scenario: exercise.name().to_owned(), ..Outcome::default() };
        let mut observation = None;
        if let Err(error) = self.try_run(exercise, &mut observation, &mut outcome.problems).await {
            outcome.problems.push(format!("{error:#}"));
        }
        if let Some(observation) = observation {
            observation.write_to(&mut outcome);
        }
        outcome.duration = started.elapsed();
        outcome
    }

    async fn try_run(
        &mut self,
        exercise: &Exercise,
        observation: &mut Option<Observation>,
        problems: &mut Vec<String>,
    ) -> Result<()> {
        let reset_at = self.stack.reset_alerting().await?.then(OffsetDateTime::now_utc);
        self.wait_for_baseline(reset_at).await.context("the baseline is not healthy")?;
        let mut scenario = self.start(exercise).await?;
        let Options { project, speed, .. } = self.stack.options();
        let observation = observation.insert(Observation::new(exercise, project, *speed)?);
        if let Err(error) = self.observe_fault(exercise, &mut scenario, observation).await {
            problems.push(format!("{error:#}"));
            observation.abort();
        }
        // After a failure too, everything is restored before the next exercise.
        self.end_fault(exercise, &mut scenario, observation, problems).await?;
        self.observe_recovery(observation).await
    }

    /// Starts the scenario. Its load lasts until it is interrupted, unless the scenario must run to completion.
    async fn start(&self, exercise: &Exercise) -> Result<Scenario> {
        let name = exercise.name();
        (self.progress)(&format!("{name}: its load starts"));
        let duration = (!exercise.runs_to_completion()).then(|| self.timeouts.until_proven());
        Scenario::start(self.stack, name, duration).await
    }

    /// Waits until all processes are up and no alert is active, for long enough to count as stable. After a reset, the alert that
    /// always fires must have arrived: an alarm that it stays away would be that of the reset.
    async fn wait_for_baseline(&mut self, reset_at: Option<OffsetDateTime>) -> Result<()> {
        let (deadline, mut stable_since) = (Instant::now() + self.timeouts.baseline, Instant::now());
        let rules = self.stack.prometheus().rules().await?;
        ensure!(!rules.is_empty(), "Prometheus has no rules");
        let has_watchdog = rules.iter().any(|rule| rule.name == WATCHDOG);
        loop {
            let mut alerts = self.stack.prometheus().alerts().await?;
            let is_watched = alerts.iter().any(|alert| alert.name() == WATCHDOG && alert.is_firing());
            let has_arrived = match reset_at {
                Some(since) if has_watchdog => self.stack.receiver().has_arrived(WATCHDOG, since).await?,
                _ => true,
            };
            let can_alert = !has_watchdog || is_watched && has_arrived;
            alerts.retain(|alert| alert.name() != WATCHDOG);
            let down = self.jobs_down().await?;
            if !alerts.is_empty() || !can_alert || !down.is_empty() {
                stable_since = Instant::now();
            }
            if stable_since.elapsed() >= self.timeouts.stable {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let mut names: Vec<_> = alerts.iter().map(|alert| alert.name()).collect();
                names.sort_unstable();
                names.dedup();
                ensure!(
                    is_watched || !has_watchdog,
                    "{WATCHDOG} does not fire: Prometheus evaluates no rules"
                );
                ensure!(has_arrived, "{WATCHDOG} is not delivered");
                ensure!(down.is_empty(), "Prometheus cannot scrape {}", down.join(", "));
                bail!("alerts are still active after {:?}: {}", self.timeouts.baseline, names.join(", "));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The jobs of the service that have no target, or one that Prometheus cannot scrape.
    async fn jobs_down(&self) -> Result<Vec<String>> {
        let mut down = Vec::new();
        for process in self.stack.options().project.processes() {
            let job = process.service();
            let up = self.stack.prometheus().query(&format!("min(up{{job={job:?}}}) == 1")).await?;
            if up.is_empty() {
                down.push(job.to_owned());
            }
        }
        Ok(down)
    }

    /// Observes until each alert is proven or has failed, and a scenario that runs to completion has exited.
    async fn observe_fault(
        &mut self,
        exercise: &Exercise,
        scenario: &mut Scenario,
        observation: &mut Observation,
    ) -> Result<()> {
        if let Some(component) = exercise.stop() {
            scenario.wait_until_running().await?;
            (self.progress)(&format!("{}: {component} is stopped", exercise.name()));
            self.stack.stop(&component).await?;
        }
        if let Some(process) = exercise.scale() {
            scenario.wait_until_running().await?;
            self.scale(process, 2, observation).await?;
        }
        let deadline = Instant::now() + self.timeouts.scenario;
        loop {
            observation.update(self.stack, self.progress).await?;
            if let Some(failure) = scenario.failure()? {
                bail!("{failure}");
            }
            if let Some(report) = self.stack.exit_report().await? {
                bail!("{report}");
            }
            self.check_timeouts(observation).await?;
            let is_complete = !exercise.runs_to_completion() || scenario.has_exited()?;
            if is_complete && observation.is_decided() {
                self.run_runbook_queries(exercise, observation).await?;
                let missing = observation.missing_test_evidence();
                return missing.map_or(Ok(()), |missing| bail!("its evidence is missing: {missing}"));
            }
            ensure!(
                Instant::now() < deadline,
                "the scenario did not end within {:?}",
                self.timeouts.scenario
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Runs the queries of the runbooks while the alerts fire, as the person on call does.
    async fn run_runbook_queries(&self, exercise: &Exercise, observation: &mut Observation) -> Result<()> {
        let has_server = |query: &RunbookQuery| {
            query.language != QueryLanguage::TraceQl || exercise.stop() != Some(Component::Tempo)
        };
        for alert in observation.proven() {
            let Ok(file) = self.stack.options().project.runbook(&alert.outcome.name) else { continue };
            let page = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            for query in runbook_queries(&page).into_iter().filter(has_server) {
                if let Err(error) = self.stack.run_query(&query).await {
                    alert.outcome.problems.push(format!("a query of its runbook fails: {error:#}"));
                }
            }
        }
        Ok(())
    }

    /// Gives a process this many replicas, and waits until each of them, and nothing else, is a target that Prometheus scrapes.
    async fn scale(&mut self, process: &str, replicas: u32, observation: &mut Observation) -> Result<()> {
        self.stack.scale(process, replicas).await?;
        let (stack, progress, timeout) = (&*self.stack, self.progress, self.timeouts.baseline);
        let job = stack.options().project.process(Some(process))?.service();
        let targets = format!("count(up{{job={job:?}}})");
        let query = format!(
            "({targets} == {replicas}) and ({targets_up} == {replicas})",
            targets_up = format_args!("count(up{{job={job:?}}} == 1)")
        );
        let scraped = poll_until(timeout, async || {
            observation.update(stack, progress).await?;
            Ok((!stack.prometheus().query(&query).await?.is_empty()).then_some(()))
        });
        scraped.await?.with_context(|| {
            format!("Prometheus does not scrape {replicas} of {process} within {timeout:?}")
        })?;
        progress(&format!("Prometheus scrapes {replicas} of {process}"));
        Ok(())
    }

    /// Fails each alert whose next step is overdue, with a diagnosis.
    async fn check_timeouts(&self, observation: &mut Observation) -> Result<()> {
        let elapsed = observation.elapsed();
        for alert in observation.unproven() {
            let missing_evidence = || alert.evidence.missing();
            if alert.is_undeliverable() && alert.outcome.firing.is_some() {
                continue; // only its evidence is missing, for which the scenario has its own timeout
            }
            if let Some(problem) = self.overdue_step(&alert.outcome, elapsed, missing_evidence).await? {
                (self.progress)(&format!("{} {problem}", alert.outcome.name));
                alert.outcome.problems.push(problem);
            }
        }
        Ok(())
    }

    /// Why the next step of an alert is overdue; `None` while it has time left.
    async fn overdue_step(
        &self,
        outcome: &AlertOutcome,
        elapsed: Duration,
        missing_evidence: impl Fn() -> String,
    ) -> Result<Option<String>> {
        let (name, timeouts) = (&outcome.name, self.timeouts);
        let is_overdue = |since: Duration, timeout| elapsed.saturating_sub(since) > timeout;
        Ok(Some(match (outcome.pending, outcome.firing, outcome.delivered) {
            (None, ..) if is_overdue(Duration::ZERO, timeouts.pending) => {
                let cause = diagnosis::not_pending(self.stack, name, elapsed).await?;
                format!("never became pending: {cause}")
            }
            (Some(pending), None, _) if is_overdue(pending, timeouts.firing) => {
                let cause = diagnosis::not_firing(self.stack, name).await?;
                format!("was pending, but never fired: {cause}")
            }
            (_, Some(firing), None) if is_overdue(firing, timeouts.delivered) => {
                let cause = diagnosis::not_delivered(self.stack, name).await?;
                format!("fired, but was not delivered: {cause}")
            }
            (.., Some(delivered)) if is_overdue(delivered, timeouts.evidence) => {
                format!("was delivered, but its evidence is missing: {}", missing_evidence())
            }
            _ => return Ok(None),
        }))
    }

    /// Ends the fault, and checks that the scenario cleared what it injected.
    async fn end_fault(
        &mut self,
        exercise: &Exercise,
        scenario: &mut Scenario,
        observation: &mut Observation,
        problems: &mut Vec<String>,
    ) -> Result<()> {
        problems.extend(scenario.interrupt().await.unwrap_or_else(|error| Some(format!("{error:#}"))));
        if let Some(component) = exercise.stop() {
            self.stack.restart(&component).await?;
            (self.progress)(&format!("{}: {component} is up again", exercise.name()));
        }
        if let Some(process) = exercise.scale() {
            self.scale(process, 1, observation).await?;
        }
        if let Some(remedy) = exercise.remedy() {
            (self.progress)(&format!("{}: the remedy {}", exercise.name(), remedy.join(" ")));
            self.stack.run_command(&remedy).await?;
        }
        observation.end_fault();
        let active = faults::active(self.stack).await?;
        if !active.is_empty() {
            problems.push(format!("the scenario left faults active: {}", active.join(", ")));
            faults::clear(self.stack).await?;
        }
        Ok(())
    }

    /// Waits until each alert is resolved and the resolved notification is delivered.
    async fn observe_recovery(&mut self, observation: &mut Observation) -> Result<()> {
        let (stack, progress) = (&*self.stack, self.progress);
        let resolved = poll_until(self.timeouts.resolved, async || {
            observation.update(stack, progress).await?;
            Ok(observation.is_resolved().then_some(()))
        });
        if resolved.await?.is_some() {
            return Ok(());
        }
        for alert in observation.unresolved() {
            let problem = match alert.outcome.resolved {
                None => "was not resolved after the fault had ended".to_owned(),
                Some(_) if alert.outcome.delivered.is_none() => "fired, but was never delivered".to_owned(),
                Some(_) => {
                    let cause = diagnosis::not_delivered(stack, &alert.outcome.name).await?;
                    format!("was resolved, but that was not delivered: {cause}")
                }
            };
            progress(&format!("{} {problem}", alert.outcome.name));
            alert.outcome.problems.push(problem);
        }
        Ok(())
    }
}
