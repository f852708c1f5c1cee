//! Shows that a drill detects failures: each test breaks a rule, a metric name or the receiver, and the drill must report
//! the cause. The tests need the tools of the drills: run them with `make drills`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic fails the test, and a long test shows its progress"
)]

use std::path::Path;
use std::time::Duration;

use glasshouse_drill::catalogue::Component;
use glasshouse_drill::project::Project;
use glasshouse_drill::report::Outcome;
use glasshouse_drill::runner::{Runner, Timeouts};
use glasshouse_drill::speed::Speed;
use glasshouse_drill::stack::{ComposeOptions, NativeOptions, Options, Platform, Stack, find_program};
use tempfile::TempDir;

const RULES: &str = "deploy/prometheus/rules/alerts.yml";

#[tokio::test]
async fn an_unreachable_threshold_is_reported() {
    let project = ProjectCopy::new();
    project.replace(RULES, "> 0.3\n", "> 3\n");
    let problem = problem_with(&project, async |_| {}).await;
    assert!(problem.contains("never became pending: it stayed below its threshold: "), "{problem}");
    assert!(problem.contains(" of 3 ("), "{problem}");
}

#[tokio::test]
async fn a_missing_metric_is_reported() {
    let project = ProjectCopy::new();
    project.replace(RULES, "payments_total", "payment_total");
    let problem = problem_with(&project, async |_| {}).await;
    let expected = "never became pending: its expression returned no data: there is no metric payment_total";
    assert!(problem.contains(expected), "{problem}");
}

#[tokio::test]
async fn an_unreachable_receiver_is_reported() {
    let project = ProjectCopy::new();
    // An alert of its own, which reports the same.
    let scenario = "scenario = \"payment-declines\"\n";
    let also = format!("{scenario}also = [\"NotificationsFailing\"]\n");
    project.replace("load-tests/catalogue.toml", scenario, &also);
    let problem = problem_with(&project, async |stack| stack.stop(&Component::Receiver).await.unwrap()).await;
    assert!(problem.contains("fired, but was not delivered: Alertmanager delivered nothing"), "{problem}");
    // A stopped process refuses connections; the name of a stopped container cannot be resolved.
    let causes = ["connection refused", "lookup alert-receiver"];
    assert!(causes.iter().any(|cause| problem.contains(cause)), "{problem}");
}

/// The only problem of the drill of PaymentDeclinesHigh, on a stack of this project.
async fn problem_with(project: &ProjectCopy, sabotage: impl AsyncFnOnce(&mut Stack)) -> String {
    let speed: Speed = "30".parse().unwrap();
    let project = Project::read(project.0.path()).unwrap();
    let exercise = project.catalogue().find("PaymentDeclinesHigh").unwrap();
    let (options, progress) =
        (Options { project, speed, platform: platform(), is_shown: false }, |line: &str| eprintln!("{line}"));
    let mut stack = Stack::start(options, &progress).await.unwrap();
    sabotage(&mut stack).await;

    // The alert would react within seconds, so shorter timeouts than those of a real drill suffice.
    let short = Duration::from_secs(15);
    let timeouts = Timeouts { pending: short, delivered: short, ..Timeouts::at(speed) };
    let outcome = Runner { stack: &mut stack, timeouts, progress: &progress }.run(&exercise).await;
    only_problem(&outcome)
}

/// The platform of the drills.
fn platform() -> Platform {
    if variable("DRILL_ON") == "compose" {
        // The copies have no source to build an image from. The drills have built one before.
        return Platform::Compose(ComposeOptions { image: Some(variable("DRILL_IMAGE")) });
    }
    let k6 = Some(find_program(&["k6"]).expect("k6 is not in PATH"));
    // Cargo builds both programs into the same folder.
    let programs = Path::new(env!("CARGO_BIN_EXE_drill")).parent().unwrap().to_owned();
    let postgres = Some(variable("TEST_DATABASE_URL"));
    Platform::Native(NativeOptions { programs, k6, postgres, ..NativeOptions::default() })
}

fn only_problem(outcome: &Outcome) -> String {
    let problems = outcome.all_problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("PaymentDeclinesHigh "), "{problems:#?}");
    problems[0].clone()
}

/// A temporary copy of the files that a drill reads.
struct ProjectCopy(TempDir);

impl ProjectCopy {
    fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for folder in ["deploy", "load-tests/scenarios"] {
            copy_folder(&root.join(folder), &copy.0.path().join(folder));
        }
        for file in ["drill.toml", "docker-compose.yml", "load-tests/catalogue.toml"] {
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

#[expect(clippy::disallowed_methods, reason = "the environment names the servers of the tests")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this with `make drills`"))
}
