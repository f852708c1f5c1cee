//! What `drill stack` prints for people is true: pages and links open, log files fill, and the functions of the runbooks run. The tests
//! need the tools of the drills: run them with `make drills`.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod processes;
mod steps;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use glasshouse_drill::polling::poll_until;
use serde_json::{Value, json};

/// What a page shows, by its name.
const PAGES: [(&str, &str); 10] = [
    ("API", "swagger-ui"),
    ("console", "Glasshouse"),
    ("console (worker)", "Glasshouse"),
    ("console (gateway)", "Glasshouse"),
    ("metrics (API)", "http_requests_total"),
    ("metrics (worker)", "outbox_pending"),
    ("metrics (gateway)", "build_info"),
    ("payment gateway", "error_rate"),
    ("Prometheus", "Prometheus"),
    ("notifications", "Delivered alerts"),
];

/// Each prints this, if it works. They are those of `docs/runbooks/README.md`.
const COMMANDS: [(&str, &str); 8] = [
    ("management api /health/ready", "\"status\":\"ready\""),
    ("management worker /health/ready", "\"status\":\"ready\""),
    ("management gateway /faults -o /dev/null -w '%{http_code}'", "200"),
    ("events api '.message == \"application_started\"' | jq -r .message", "application_started"),
    ("events worker '.message == \"application_started\"' | jq -r .message", "application_started"),
    ("events gateway '.message == \"application_started\"' | jq -r .message", "application_started"),
    ("glasshouse dead-letters list && echo listed", "listed"),
    ("sql 'SELECT count(*) AS owners FROM users'", "owners"),
];

#[tokio::test]
async fn everything_that_is_printed_works() {
    let Some(stack) = ShownStack::start() else { return };
    for (name, shown) in PAGES {
        let page = get(&stack.printed[name]).await;
        assert!(page.contains(shown), "{name} does not show {shown}: {page}");
    }
    // The page of Alertmanager, or the command in its place.
    let alertmanager = &stack.printed["Alertmanager"];
    match alertmanager.strip_prefix("http") {
        Some(_) => assert!(get(alertmanager).await.contains("<script")),
        None => drop(shell(alertmanager)),
    }
    for (title, script) in
        [("Load test smoke:", "smoke.js"), ("Trigger HighErrorRate:", "high-error-rate.js")]
    {
        let script = format!("run {}", root().join("load-tests/scenarios").join(script).display());
        assert!(stack.printed[title].ends_with(&script), "{title} {}", stack.printed[title]);
    }
    for (command, expected) in COMMANDS {
        let printed = stack.shell(command);
        assert!(printed.contains(expected), "{command} does not print {expected}: {printed}");
    }
    let logs = Path::new(&stack.printed["log records"]).parent().unwrap().to_owned();
    for process in ["api", "worker", "gateway", "prometheus", "alertmanager", "redis"] {
        assert!(logs.join(format!("{process}.log")).is_file(), "{process} has no log file");
    }

    // One alert, and all links of the pages that show it.
    let errors = json!({ "errors": { "share": 1.0, "seconds": 300 } });
    stack.shell(&format!("management api /faults -X PUT --json '{errors}'"));
    let orders = stack.printed["API"].replace("/docs/", "/v1/orders");
    let delivered = poll_until(Duration::from_secs(60), async || {
        reqwest::get(&orders).await?;
        let page = get(&stack.printed["notifications"]).await;
        Ok(page.contains(">HighErrorRate<").then_some(page))
    });
    let page = delivered.await.unwrap().expect("the alert is delivered");
    assert!(page.contains("ended in a 5xx"), "{page}");
    let links: Vec<_> = page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect();
    for link in ["runbooks/high-error-rate.html", "/graph?"] {
        assert!(links.iter().any(|one| one.contains(link)), "no {link} in {links:?}");
    }
    for link in links {
        let is_whole = link.starts_with("http");
        get(&if is_whole { link } else { format!("{}{link}", stack.printed["notifications"]) }).await;
    }
    let console = &stack.printed["console"];
    let alerts: Value = serde_json::from_str(&get(&format!("{console}console/alerts")).await).unwrap();
    let alerts = alerts["alerts"].as_array().unwrap();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in alerts {
        assert_eq!(alert["dashboard_url"], Value::Null, "without Grafana there is none");
        get(alert["prometheus_url"].as_str().unwrap()).await;
        get(&format!("{console}console/runbooks/{}.html", alert["runbook"].as_str().unwrap())).await;
    }
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The text of a page, which opens.
async fn get(url: &str) -> String {
    let response = reqwest::get(url).await.unwrap();
    assert!(response.status().is_success(), "{url}: {}", response.status());
    response.text().await.unwrap()
}

/// What a command prints, which succeeds.
fn shell(command: &str) -> String {
    let output = Command::new("bash").args(["-o", "pipefail", "-c", command]).output().unwrap();
    succeeded(command, output)
}

fn succeeded(command: &str, output: Output) -> String {
    let status = output.status;
    let text = text(output);
    assert!(status.success(), "{command}: {status}: {text}");
    text
}

fn text(output: Output) -> String {
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}

/// A `drill stack` of processes that is up.
struct ShownStack {
    drill: Child,
    /// What it has printed, by name.
    printed: BTreeMap<String, String>,
}

impl ShownStack {
    /// Starts it; `None` where drills run on containers.
    #[expect(clippy::disallowed_methods, reason = "the environment names the platform")]
    fn start() -> Option<Self> {
        if std::env::var("DRILL_ON").is_ok_and(|platform| platform == "compose") {
            return None;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_drill"));
        command.arg("--project").arg(root()).arg("stack").stdout(Stdio::piped());
        let mut drill = command.spawn().unwrap();
        let lines = BufReader::new(drill.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines: Vec<_> = lines.take_while(|line| !line.contains("Ctrl-C stops everything")).collect();
        let printed = lines.iter().filter_map(|line| line.split_once("  "));
        let printed: BTreeMap<_, _> =
            printed.map(|(name, text)| (name.to_owned(), text.trim().to_owned())).collect();
        assert!(!printed.is_empty(), "the stack did not start");
        Some(Self { drill, printed })
    }

    /// Runs a command that may use the functions.
    fn run(&self, command: &str, folder: &Path) -> Output {
        let functions = &self.printed["shell functions"];
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c", &format!("{functions}\n{command}")]).current_dir(folder);
        bash.stdin(Stdio::null()).output().unwrap()
    }

    /// What a command prints, which may use the functions, and succeeds.
    fn shell(&self, command: &str) -> String {
        succeeded(command, self.run(command, root()))
    }
}

impl Drop for ShownStack {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-s", "INT", &self.drill.id().to_string()]).status();
        let _ = self.drill.wait();
    }
}
