//! Shows that a drill can fail: a rule, a metric's name and the receiver are broken, and each time the drill
//! names the cause. Needs what the drills need: run it with `make drills`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that takes long says how far it is"
)]

use std::path::Path;
use std::time::Duration;

use glasshouse_drill::catalogue::Catalogue;
use glasshouse_drill::drill::{Drill, Patience};
use glasshouse_drill::project::Project;
use glasshouse_drill::report::Outcome;
use glasshouse_drill::speed::Speed;
use glasshouse_drill::stack::{Containers, Options, Platform, Processes, Stack, find_program};
use tempfile::TempDir;

const RULES: &str = "deploy/prometheus/rules/alerts.yml";

#[tokio::test]
async fn a_threshold_that_nothing_reaches() {
    let project = Copy::of_the_project();
    project.replace(RULES, "> 0.3\n", "> 3\n");
    let problem = problem_of(&project, async |_| {}).await;
    assert!(problem.contains("never became pending: it stayed below its threshold: "), "{problem}");
    assert!(problem.contains(" of 3 ("), "{problem}");
}

#[tokio::test]
async fn a_metric_that_nobody_exports() {
    let project = Copy::of_the_project();
    project.replace(RULES, "payments_total", "payment_total");
    let problem = problem_of(&project, async |_| {}).await;
    let expected = "never became pending: its expression returned no data: there is no metric payment_total";
    assert!(problem.contains(expected), "{problem}");
}

#[tokio::test]
async fn a_receiver_that_is_gone() {
    let project = Copy::of_the_project();
    let problem = problem_of(&project, async |stack| stack.stop_receiver().await.unwrap()).await;
    assert!(problem.contains("fired, but was not delivered: Alertmanager delivered nothing"), "{problem}");
    // Of a process the port is still known; of a container that is gone not even the name.
    let causes = ["connection refused", "lookup alert-receiver"];
    assert!(causes.iter().any(|cause| problem.contains(cause)), "{problem}");
}

/// What the drill of PaymentDeclinesHigh says, on the stack of this project.
async fn problem_of(project: &Copy, break_it: impl AsyncFnOnce(&mut Stack)) -> String {
    let speed: Speed = "30".parse().unwrap();
    let project = Project::new(project.0.path());
    let exercise = Catalogue::read(&project.catalogue()).unwrap().find("PaymentDeclinesHigh").unwrap();
    let (options, progress) =
        (Options { project, speed, platform: platform() }, |line: &str| eprintln!("{line}"));
    let mut stack = Stack::start(options, &progress).await.unwrap();
    break_it(&mut stack).await;

    // The fault shows within seconds: there is no need to wait for it as long as a real drill does.
    let short = Duration::from_secs(15);
    let patience = Patience { pending: short, delivered: short, ..Patience::at(speed) };
    let outcome = Drill { stack: &mut stack, patience, progress: &progress }.run(&exercise).await;
    only_problem(&outcome)
}

/// What the drills run on.
fn platform() -> Platform {
    if variable("DRILL_ON") == "compose" {
        // The copies have no source: the drills have built the image before.
        return Platform::Compose(Containers { image: Some(variable("DRILL_IMAGE")) });
    }
    let k6 = find_program(&["k6"]).expect("k6 is not in PATH");
    // The program is built into the same folder as `drill`.
    let binary = Path::new(env!("CARGO_BIN_EXE_drill")).with_file_name("glasshouse");
    Platform::Native(Processes { binary, k6, postgres: variable("TEST_DATABASE_URL") })
}

fn only_problem(outcome: &Outcome) -> String {
    let problems = outcome.all_problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("PaymentDeclinesHigh "), "{problems:#?}");
    problems[0].clone()
}

/// The project's files that a drill reads, to be broken.
struct Copy(TempDir);

impl Copy {
    fn of_the_project() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for folder in ["deploy", "load-tests/scenarios"] {
            copy_folder(&root.join(folder), &copy.0.path().join(folder));
        }
        for file in ["docker-compose.yml", "load-tests/catalogue.toml"] {
            std::fs::copy(root.join(file), copy.0.path().join(file)).unwrap();
        }
        copy
    }

    fn replace(&self, file: &str, old: &str, new: &str) {
        let path = self.0.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{file} has no {old}");
        std::fs::write(path, text.replace(old, new)).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are told where their servers are")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this with `make drills`"))
}
