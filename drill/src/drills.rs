//! Runs exercises on stacks of their own. Drills wait for most of their time, so several stacks run them at the same time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail, ensure};
use futures_util::future::try_join_all;
use glasshouse_drill::catalogue::Exercise;
use glasshouse_drill::consistency;
use glasshouse_drill::contract::{self, ExportedMetrics};
use glasshouse_drill::panel_data;
use glasshouse_drill::project::Project;
use glasshouse_drill::report::{CONTRACT, Links, Outcome, Report, Run};
use glasshouse_drill::rules::RuleFiles;
use glasshouse_drill::runner::{Runner, Timeouts};
use glasshouse_drill::stack::{Options, Platform, Stack};
use time::OffsetDateTime;

use crate::terminal::log;

/// Runs exercises on so many stacks, or as many as the project says. Afterwards, if it `checks_contract`, the report also says whether
/// every metric was exported that a query needs.
///
/// # Errors
/// An exercise cannot be run on this platform, or a stack does not start.
pub(crate) async fn run(
    project: &Project,
    options: Options,
    stacks: Option<NonZeroUsize>,
    exercises: Vec<Exercise>,
    checks_contract: bool,
) -> Result<Report> {
    let problems = consistency::catalogue_problems(project)?;
    if !problems.is_empty() {
        bail!("the catalogue is wrong:\n{}", problems.join("\n"));
    }
    exercises.iter().try_for_each(|exercise| options.platform.check(exercise))?;
    let stacks = number_of_stacks(project, &options, stacks)?.get().min(exercises.len());
    let (platform, speed) = (options.platform.to_string(), options.speed);
    let begins = if matches!(options.platform, Platform::Attached(_)) { "attaching to" } else { "starting" };
    let times = if stacks > 1 { format!("{stacks} times ") } else { String::new() };
    log(&format!("{begins} {times}the stack {platform} at SPEED={speed}"));
    let rules = RuleFiles::read(&project.rules())?.alert_rules()?;
    let mut waiting: Vec<_> = exercises.iter().enumerate().collect();
    // These take longest. At the end, the other stacks would wait for them.
    waiting.sort_by_key(|(_, exercise)| !exercise.runs_to_completion());
    let drills = Drills {
        project,
        waiting: RefCell::new(waiting.into()),
        outcomes: RefCell::new(vec![Outcome::default(); exercises.len()]),
    };
    let ran = try_join_all((0..stacks).map(|_| drills.run_on_a_stack(options.clone()))).await?;
    let mut ran = ran.into_iter();
    let (run, mut exported) = ran.next().context("there is nothing to drill")?;
    ran.for_each(|(_, others)| exported.merge(others));
    let mut outcomes = drills.outcomes.into_inner();
    if checks_contract {
        // After all drills, every series has been exported at least once.
        exported.add_external();
        for (metric, labels) in &project.config().external_metrics {
            exported.add(metric, labels.iter().map(String::as_str));
        }
        let problems = contract::project_violations(project, &exported)?;
        outcomes.push(Outcome { scenario: CONTRACT.to_owned(), problems, ..Outcome::default() });
    }
    Ok(Report { platform, speed, run, rules, links: Links::of(project), outcomes })
}

/// How many stacks to run. Only those of processes can run side by side.
fn number_of_stacks(
    project: &Project,
    options: &Options,
    stacks: Option<NonZeroUsize>,
) -> Result<NonZeroUsize> {
    if matches!(options.platform, Platform::Native(_)) {
        return Ok(stacks.or(project.config().native.stacks).unwrap_or(NonZeroUsize::MIN));
    }
    let platform = &options.platform;
    ensure!(
        stacks.is_none_or(|stacks| stacks == NonZeroUsize::MIN),
        "--stacks: there is one stack {platform}; several run with --on native"
    );
    Ok(NonZeroUsize::MIN)
}

/// Exercises that wait for a stack, and the results of those that ran.
struct Drills<'a> {
    project: &'a Project,
    /// The exercises with their places in the report.
    waiting: RefCell<VecDeque<(usize, &'a Exercise)>>,
    /// The outcomes in the order of the report.
    outcomes: RefCell<Vec<Outcome>>,
}

impl<'a> Drills<'a> {
    /// Starts a stack, and runs one exercise after the other on it until none is left. Returns also what the stack exported meanwhile.
    async fn run_on_a_stack(&self, options: Options) -> Result<(Run, ExportedMetrics)> {
        let mut stack = Stack::start(options, &log).await?;
        let run = describe_run(self.project, &stack).await?;
        let mut exported = ExportedMetrics::default();
        while let Some((index, exercise)) = self.next() {
            log(&format!("{} of {}: {}", index + 1, self.outcomes.borrow().len(), exercise.name()));
            let outcome = run_exercise(self.project, &mut stack, exercise).await?;
            self.outcomes.borrow_mut()[index] = outcome;
            exported.add_stack(&stack).await?;
        }
        Ok((run, exported))
    }

    /// A function of its own: in the condition of a loop, the borrow would last as long as the body.
    fn next(&self) -> Option<(usize, &'a Exercise)> {
        self.waiting.borrow_mut().pop_front()
    }
}

async fn describe_run(project: &Project, stack: &Stack) -> Result<Run> {
    let versions = vec![
        format!("Prometheus {}", stack.prometheus().version().await?),
        format!("Alertmanager {}", stack.alertmanager().version().await?),
    ];
    Ok(Run { date: OffsetDateTime::now_utc().date(), commit: project.commit(), versions })
}

async fn run_exercise(project: &Project, stack: &mut Stack, exercise: &Exercise) -> Result<Outcome> {
    let timeouts = Timeouts::at(stack.options().speed);
    let mut outcome = Runner { stack: &mut *stack, timeouts, progress: &log }.run(exercise).await;
    if project.config().scenarios.normal_load.as_deref() == Some(exercise.name()) {
        outcome.problems.extend(panel_data::missing(project, stack.prometheus(), false).await?);
    }
    let result = if outcome.is_success() { "succeeded" } else { "failed" };
    log(&format!("{} {result} after {:.0} s", exercise.name(), outcome.duration.as_secs_f64()));
    outcome.all_problems().iter().for_each(|problem| log(problem));
    Ok(outcome)
}
