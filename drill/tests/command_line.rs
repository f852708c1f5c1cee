//! The program without a stack, on the example project: what is wrong with a project is said before anything starts, and
//! output that no one reads is no error.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::io::{Read, pipe};
use std::path::Path;
use std::process::Stdio;

use support::Greeter;

/// Replaces text of the example, and runs one of its drills, which must fail with this message.
#[track_caller]
fn assert_refused(file: &str, old: &str, new: &str, expected: &str) {
    let greeter = Greeter::new();
    greeter.replace(file, old, new);
    for command in [["run", "GreeterDown"].as_slice(), &["all"]] {
        let (code, text) = greeter.drill(command);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "no “{expected}” in {text}");
        assert!(!text.contains("starting the stack"), "{text}");
    }
}

#[test]
fn the_example_has_no_problems() {
    let (code, text) = Greeter::new().drill(&["check"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("0 problems in "), "{text}");
}

#[test]
fn the_catalogue_of_the_example_is_listed() {
    let (code, text) = Greeter::new().drill(&["list"]);
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<_> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["failing GreetingsFailing", "slow GreetingsSlow", "visits GreeterDown"]);
}

#[test]
fn the_documented_project_is_valid() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/adapt.md")).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let greeter = Greeter::new();
    std::fs::write(greeter.path("drill.toml"), rest.split_once("```").unwrap().0).unwrap();
    let (code, text) = greeter.drill(&["list"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["failing", "GreetingsFailing"]);
}

#[test]
fn a_folder_without_a_project_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let greeter = Greeter::new();
    let (code, text) = greeter.drill(&["--project", folder.path().to_str().unwrap(), "list"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("/drill.toml: this file describes the project"), "{text}");
    let (code, text) = greeter.drill(&["--project", "nowhere", "list"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--project nowhere: No such file"), "{text}");
}

#[test]
fn a_wrong_key_or_value_is_named() {
    let wrong = |old: &str, new: &str, expected: &str| assert_refused("drill.toml", old, new, expected);
    wrong("command = ", "comand = ", "unknown field `comand`, expected one of `name`, ");
    wrong("[paths]", "[path]", "unknown field `path`, expected one of ");
    wrong("scenario = \"slow\"", "scenaro = \"slow\"", "unknown field `scenaro`");
    wrong("name = \"greeter\"\n\n", "\n", "missing field `name`");
    wrong("ports = [\"http\"]", "ports = [http]", "drill.toml: TOML parse error at line ");
    wrong("http://{greeter.http}/hello", "http://{greeter.web}/hello", "there is no {greeter.web}, but ");
    wrong("{greeter.http}/hello", "{greeter.http/hello", "has a brace without its partner");
}

#[test]
fn an_alert_that_does_not_exist_is_named() {
    let wrong = |old: &str, new: &str, expected: &str| assert_refused("drill.toml", old, new, expected);
    wrong(
        "\"GreetingsSlow\"",
        "\"GreetingsSlower\"",
        "GreetingsSlower: in the catalogue, but not in the rules",
    );
    wrong("\"GreetingsSlow\"", "\"GreetingsSlower\"", "GreetingsSlow: not in the catalogue");
    wrong("\"slow\"", "\"slow\"\nalso = [\"Slower\"]", "Slower: in the catalogue, but not in the rules");
    let rules = "prometheus/rules/alerts.yml";
    assert_refused(rules, "alert: GreeterDown", "alert: Down", "Down: not in the catalogue");
    let (code, text) = Greeter::new().drill(&["run", "Down"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("the catalogue has no alert, scenario or test “Down”"), "{text}");
}

#[test]
fn a_process_or_script_that_does_not_exist_is_named() {
    let wrong = |old: &str, new: &str, expected: &str| assert_refused("drill.toml", old, new, expected);
    let process = "GreeterDown: neither a process nor a component is called greter";
    wrong("stop = \"greeter\"", "stop = \"greter\"", process);
    let process = "GreetingsSlow: neither a process nor a component is called greter";
    wrong("{ log = \"greeting_slow\" }", "{ log = \"greeting_slow\", of = \"greter\" }", process);
    wrong("scenario = \"slow\"", "scenario = \"slower\"", "slower: no script of this scenario");
    wrong("evidence = { log = \"greeting_slow\" }", "evidence = {}", "GreetingsSlow: its evidence is empty");
}

#[test]
fn a_missing_file_is_named() {
    for (file, expected) in [
        ("prometheus/prometheus.yml", "paths.prometheus: "),
        ("alertmanager.yml", "paths.alertmanager: "),
        ("runbooks", "paths.runbooks: "),
        ("prometheus/rules", "paths.rules: "),
        ("scenarios", "paths.scenarios: "),
        ("scenarios/slow.py", "slow: no script of this scenario"),
    ] {
        let greeter = Greeter::new();
        std::fs::rename(greeter.path(file), greeter.path("elsewhere")).unwrap();
        let (code, text) = greeter.drill(&["run", "GreeterDown"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "no “{expected}” in {text}");
    }
}

#[test]
fn a_check_reports_all_that_is_missing() {
    let greeter = Greeter::new();
    std::fs::remove_file(greeter.path("runbooks/greeter-down.md")).unwrap();
    greeter.replace("prometheus/rules/alerts.yml", "greetings-slow.md", "slow.md");
    let (code, text) = greeter.drill(&["check"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("GreeterDown: no runbook "), "{text}");
    assert!(text.contains("GreetingsSlow: runbook_url does not end with /greetings-slow.html or "), "{text}");
    assert!(text.contains("2 problems in "), "{text}");
}

#[test]
fn what_a_stack_that_runs_already_does_not_offer_is_said() {
    let greeter = Greeter::new();
    let refused = |arguments: &[&str], expected: &str| {
        let (code, text) = greeter.drill(&[&["run"], arguments, &["--on", "attached"]].concat());
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "no “{expected}” in {text}");
    };
    refused(
        &["GreeterDown"],
        "visits stops greeter: a drill stops nothing of a stack that it has not started",
    );
    refused(&["GreetingsSlow"], "the evidence of GreetingsSlow is a log record: set --loki or attached.loki");
    refused(&["GreetingsFailing", "--prometheus", "http://127.0.0.1:1"], "Prometheus at http://127.0.0.1:1/");
    refused(
        &["GreetingsFailing", "--port", "greeter.web=a:1"],
        "--port greeter.web: the processes have greeter.http",
    );
    refused(&["GreetingsFailing", "--port", "greeter.http"], "it is NAME=ADDRESS");
    refused(
        &["GreetingsFailing", "--stacks", "2"],
        "--stacks: there is one stack that ran already; several run with --on native",
    );
    refused(&["GreetingsFailing", "--stacks", "0"], "invalid value '0' for '--stacks <NUMBER>'");
    greeter.replace("drill.toml", "receiver = \"http://127.0.0.1:9094\"", "");
    refused(&["GreetingsFailing"], "the receiver of the stack that runs is unknown: set --receiver");
    refused(&["GreetingsFailing", "--on", "compose"], "cannot be used multiple times");
}

/// Runs a command, of which one stream is closed. Returns its exit code, and the text of the other stream.
fn run_unread(greeter: &Greeter, arguments: &[&str], closes_stdout: bool) -> (Option<i32>, String) {
    let (unread, closed) = pipe().unwrap();
    drop(unread);
    let (mut reader, writer) = pipe().unwrap();
    let (stdout, stderr) = if closes_stdout { (closed, writer) } else { (writer, closed) };
    let mut command = greeter.command(arguments);
    let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().unwrap();
    drop(command); // with its ends of the pipes
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

#[test]
fn output_that_no_one_reads_is_no_error() {
    let greeter = Greeter::new();
    let glasshouse = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_str().unwrap();
    for arguments in [
        ["list"].as_slice(),
        &["check"],
        &["platform"],
        &["--help"],
        &["--project", glasshouse, "list"],
        &["--project", glasshouse, "check"],
    ] {
        assert_eq!(run_unread(&greeter, arguments, true), (Some(0), String::new()), "{arguments:?}");
    }
    // An error is written to standard error. Without that, the exit code is left.
    assert_eq!(run_unread(&greeter, &["run", "Nothing"], false), (Some(2), String::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_is_lost_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = Greeter::new().command(&["list"]).stdout(full).output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}
