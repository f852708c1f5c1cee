//! Proves the alerts of a project that is not Glasshouse: the example `drill/examples/greeter`, with real Prometheus,
//! Alertmanager and k6. The tests need the tools of the drills: run them with `make drills`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic fails the test, and a long test shows its progress"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use glasshouse_drill::polling::poll_until;
use glasshouse_drill::project::Project;
use glasshouse_drill::receiver::{DEFAULT_TIMEOUT, Receiver, Runbooks};
use glasshouse_drill::report::Outcome;
use glasshouse_drill::runner::{Runner, Timeouts};
use glasshouse_drill::speed::Speed;
use glasshouse_drill::stack::{NativeOptions, Options, Platform, Stack, find_program};
use serde_json::Value;
use support::Greeter;

#[test]
fn every_alert_of_the_example_is_proven() {
    let greeter = Greeter::new();
    let reports = ["--json", "report.json", "--markdown", "drills.md"];
    let (code, text) = greeter.drill(&[["all", "--stacks", "2"].as_slice(), &reports].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("starting 2 times the stack of processes"), "{text}");
    let report: Value = serde_json::from_slice(&std::fs::read(greeter.path("report.json")).unwrap()).unwrap();
    let exercises = report["exercises"].as_array().unwrap();
    let alerts: Vec<_> = exercises.iter().flat_map(|one| one["alerts"].as_array().unwrap()).collect();
    let names: Vec<_> = alerts.iter().map(|alert| alert["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["GreetingsFailing", "GreetingsSlow", "GreeterDown"]);
    for alert in alerts {
        assert!(alert["evidence_found_seconds"].is_number(), "{alert}");
        assert!(alert["resolved_delivered_seconds"].is_number(), "{alert}");
    }
    let page = std::fs::read_to_string(greeter.path("drills.md")).unwrap();
    for link in ["[slow](scenarios/slow.py)", "(runbooks/greeter-down.md)", "(prometheus/rules/alerts.yml)"] {
        assert!(page.contains(link), "{page}");
    }
    assert!(!greeter.path("scenarios/__pycache__").exists());
}

/// The metrics that rules use are compared with those that the service exports.
#[test]
fn a_metric_that_the_service_does_not_export_is_reported() {
    let greeter = Greeter::new();
    greeter.replace("prometheus/rules/alerts.yml", "greeting_seconds_sum", "greeting_second_sum");
    greeter.replace(
        "drill.toml",
        "{ log = \"greeting_slow\" }",
        "{ log = \"greeting_slow\" }\nonly_on = \"compose\"",
    );
    let (code, text) = greeter.drill(&["all"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("GreetingsSlow: no process exports the metric greeting_second_sum"), "{text}");
}

#[tokio::test]
async fn an_alert_that_does_not_fire_is_reported() {
    let greeter = Greeter::new();
    greeter.replace("prometheus/rules/alerts.yml", "[2m])) > 0.05", "[2m])) > 2");
    let problem = problem_with(&greeter, "GreetingsFailing").await;
    assert!(problem.contains("never became pending: it stayed below its threshold: 0."), "{problem}");
    assert!(problem.contains(" of 2 ("), "{problem}");
}

#[tokio::test]
async fn evidence_that_is_missing_is_reported() {
    let greeter = Greeter::new();
    greeter.replace("drill.toml", "log = \"greeting_slow\"", "log = \"greeting_slower\"");
    let problem = problem_with(&greeter, "GreetingsSlow").await;
    assert!(problem.contains("its evidence is missing: log greeting_slower of greeter"), "{problem}");
}

#[tokio::test]
async fn a_query_of_a_runbook_that_fails_is_reported() {
    let greeter = Greeter::new();
    let page = std::fs::read_to_string(greeter.path("runbooks/greetings-slow.md")).unwrap();
    // It can be parsed, and Prometheus rejects it.
    let query = r#"label_replace(up, "name", "$1", "job", "(")"#;
    let page = format!("{page}\n```promql\nup == 1\n{query}\n```\n");
    std::fs::write(greeter.path("runbooks/greetings-slow.md"), page).unwrap();
    let problem = problem_with(&greeter, "GreetingsSlow").await;
    assert!(problem.contains(&format!("a query of its runbook fails: {query}: ")), "{problem}");
}

#[tokio::test]
async fn a_fault_that_a_scenario_leaves_is_reported() {
    let greeter = Greeter::new();
    greeter.replace("scenarios/visits.py", "request(\"DELETE\", \"/faults\")", "pass");
    let problem = problem_with(&greeter, "GreetingsSlow").await;
    assert!(problem.contains("the scenario left faults active: slow_seconds of greeter"), "{problem}");
}

/// The only problem of the drill of an alert, on a stack of this project.
async fn problem_with(greeter: &Greeter, alert: &str) -> String {
    let speed: Speed = "30".parse().unwrap();
    let project = Project::read(greeter.path("")).unwrap();
    let exercise = project.catalogue().find(alert).unwrap();
    let (programs, k6) = (greeter.path(""), find_program(&["k6"]));
    let native = NativeOptions { programs, k6, ..NativeOptions::default() };
    let options = Options { project, speed, platform: Platform::Native(native), is_shown: false };
    let progress = |line: &str| eprintln!("{line}");
    let mut stack = Stack::start(options, &progress).await.unwrap();
    // The alert would react within seconds, so shorter timeouts than those of a real drill suffice.
    let short = Duration::from_secs(15);
    let timeouts = Timeouts { pending: short, evidence: short, ..Timeouts::at(speed) };
    let outcome = Runner { stack: &mut stack, timeouts, progress: &progress }.run(&exercise).await;
    only_problem(&outcome)
}

fn only_problem(outcome: &Outcome) -> String {
    let problems = outcome.all_problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].clone()
}

/// A stack that another process started. It is the example's own, and no different from one in production.
struct RunningStack {
    drill: Child,
    /// The URLs that it printed, by name.
    pages: Vec<(String, String)>,
}

impl RunningStack {
    fn start(greeter: &Greeter) -> Self {
        let mut drill = greeter.command(&["stack"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(drill.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines: Vec<_> = lines.take_while(|line| !line.contains("Ctrl-C stops everything")).collect();
        let page = |line: &String| {
            let (name, url) = line.split_once(' ')?;
            url.trim().starts_with("http").then(|| (name.to_owned(), url.trim().to_owned()))
        };
        Self { drill, pages: lines.iter().filter_map(page).collect() }
    }

    fn url(&self, name: &str) -> &str {
        &self.pages.iter().find(|(page, _)| page == name).unwrap().1
    }

    /// The arguments with which a drill attaches to it, with another receiver if one is given.
    fn arguments(&self, receiver: Option<&str>) -> Vec<String> {
        let greeter = self.url("greeter").trim_start_matches("http://").trim_end_matches("/hello");
        let receiver = receiver.unwrap_or_else(|| self.url("deliveries"));
        let arguments = [
            "--on attached --speed 30",
            &format!("--prometheus {}", self.url("Prometheus")),
            &format!("--alertmanager {}", self.url("Alertmanager")),
            &format!("--receiver {receiver} --port greeter.http={greeter}"),
        ];
        arguments.join(" ").split(' ').map(str::to_owned).collect()
    }
}

impl Drop for RunningStack {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.drill.id().to_string()).status();
        let _ = self.drill.wait();
    }
}

fn attached(greeter: &Greeter, arguments: &[String]) -> (Option<i32>, String) {
    let run = ["run", "GreetingsFailing"];
    greeter.drill(&run.into_iter().chain(arguments.iter().map(String::as_str)).collect::<Vec<_>>())
}

#[test]
fn a_drill_attaches_to_a_stack_that_runs_already() {
    let greeter = Greeter::new();
    let mut stack = RunningStack::start(&greeter);
    for _ in 0..2 {
        let (code, text) = attached(&greeter, &stack.arguments(None));
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("GreetingsFailing is delivered as resolved"), "{text}");
    }
    assert!(stack.drill.try_wait().unwrap().is_none(), "the drill has stopped the stack");
}

/// Alertmanager delivers to an address at which no one listens, until the drill does.
#[tokio::test]
async fn an_attached_drill_is_the_receiver_if_there_is_none() {
    let greeter = Greeter::new();
    let stack = RunningStack::start(&greeter);
    // Not the address that Alertmanager delivers to: the alert fires, and is not delivered.
    let free = "127.0.0.1:0".parse().unwrap();
    let free = Receiver::start(free, DEFAULT_TIMEOUT, Runbooks::default()).await.unwrap();
    let address = free.address();
    free.stop().await;
    let url = format!("http://{address}");
    let arguments = stack.arguments(Some(&url));
    let run = tokio::task::spawn_blocking(move || attached(&greeter, &arguments));
    let listens = poll_until(Duration::from_secs(60), async || {
        Ok(reqwest::get(&url).await.is_ok_and(|response| response.status().is_success()).then_some(()))
    });
    assert!(listens.await.unwrap().is_some());
    let (code, text) = run.await.unwrap();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("GreetingsFailing fired, but was not delivered"), "{text}");
}
