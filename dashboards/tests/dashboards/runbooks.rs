//! The queries in runbooks use exported metrics and labels, and their commands name what exists.

use std::collections::BTreeSet;
use std::process::Command;

use glasshouse_dashboards::alerts::Alerts;
use glasshouse_dashboards::model::Threshold;
use glasshouse_drill::contract;
use glasshouse_drill::project::{files, read_yaml};
use glasshouse_drill::query::LocatedQuery;
use glasshouse_drill::rules::RuleFiles;
use glasshouse_drill::runbook_queries::{QueryLanguage, runbook_queries};
use glasshouse_runbooks::Platform;

use serde_json::Value;

use crate::queries::documented;
use crate::{project, root};

/// The runbooks: paths and text.
fn pages() -> Vec<(String, String)> {
    let page = |path: &std::path::PathBuf| {
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        (place, std::fs::read_to_string(path).unwrap())
    };
    files(&project().runbooks().unwrap(), "md").unwrap().iter().map(page).collect()
}

/// The queries of all runbooks in a language.
pub(crate) fn queries(language: QueryLanguage) -> Vec<LocatedQuery> {
    let mut found = Vec::new();
    for (place, page) in pages() {
        let queries = runbook_queries(&page).into_iter().filter(|query| query.language == language);
        found
            .extend(queries.map(|query| LocatedQuery { place: place.clone(), expression: query.expression }));
    }
    found
}

#[test]
fn runbooks_use_exported_metrics_and_labels() {
    let queries = queries(QueryLanguage::PromQl);
    assert!(queries.len() > 50, "not all queries were found: {queries:?}");
    let rules = RuleFiles::read(&project().rules()).unwrap().rules().unwrap();
    assert_eq!(contract::violations(&queries, &rules, &documented()).unwrap(), [""; 0]);
}

/// The services of `docker-compose.yml`.
fn services() -> BTreeSet<String> {
    let compose: Value = read_yaml(&root().join("docker-compose.yml")).unwrap();
    compose["services"].as_object().unwrap().keys().cloned().collect()
}

/// The texts of a page between `command` and the end of the command.
fn commands<'a>(page: &'a str, command: &'a str) -> impl Iterator<Item = &'a str> {
    page.split(command).skip(1).filter_map(|rest| rest.split(['`', '\n', '|', ';', ')', '&', '#']).next())
}

/// The services that a command of `docker compose` names, such as `exec -T worker …`. Arguments of a function stand for any.
fn named_services(command: &str) -> Vec<&str> {
    const WITH_VALUE: [&str; 3] = ["--since", "--tail", "--scale"];
    let words: Vec<_> = command.split_whitespace().collect();
    let is_value = |at: usize| WITH_VALUE.contains(&words[at - 1]);
    let positional = (1..words.len()).filter(|at| !words[*at].starts_with('-') && !is_value(*at));
    let services = positional.map(|at| words[at]).filter(|word| *word != "\\" && !word.starts_with("\"$"));
    // What follows the service of these is a command in its container.
    let count = if matches!(words.first(), Some(&("exec" | "run"))) { 1 } else { usize::MAX };
    let scaled = words.windows(2).filter(|pair| pair[0] == "--scale");
    services.take(count).chain(scaled.filter_map(|pair| pair[1].split('=').next())).collect()
}

#[test]
fn compose_commands_name_services_of_the_stack() {
    const VERBS: [&str; 9] = ["build", "exec", "logs", "port", "ps", "restart", "run", "stop", "up"];
    let (services, mut count, mut problems) = (services(), 0, Vec::new());
    for (place, page) in pages() {
        for command in commands(&page, "docker compose ") {
            count += 1;
            let verb = command.split_whitespace().next().unwrap_or_default();
            if !VERBS.contains(&verb) {
                problems.push(format!("{place}: no such command: {command}"));
            }
            let unknown = named_services(command).into_iter().filter(|name| !services.contains(*name));
            problems.extend(unknown.map(|name| format!("{place}: no service {name}: {command}")));
        }
    }
    assert!(count > 15, "not all commands were found");
    assert_eq!(problems, [""; 0]);
}

/// The functions of a shell script: the words before `() `.
fn defined(script: &str) -> BTreeSet<&str> {
    let names = script.lines().filter_map(|line| line.split_once("() ")).map(|(name, _)| name);
    names.filter(|name| !name.is_empty() && !name.contains([' ', '#', '$'])).collect()
}

/// The functions of the runbooks for containers.
fn functions_for_containers(readme: &str) -> &str {
    readme.split("```bash\n").nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn every_function_is_defined_for_containers_and_for_processes() {
    let readme = std::fs::read_to_string(project().runbooks().unwrap().join("README.md")).unwrap();
    let containers = functions_for_containers(&readme);
    let syntax = Command::new("bash").args(["-n", "-c", containers]).output().unwrap();
    assert!(syntax.status.success(), "{}", String::from_utf8_lossy(&syntax.stderr));
    let containers = defined(containers);
    assert!(containers.len() > 10, "{containers:?}");
    let common = std::fs::read_to_string(root().join("drill/src/stack/native/functions.sh")).unwrap();
    let project = project();
    let processes = &defined(&common) | &defined(&project.config().shown.functions);
    assert_eq!(containers.difference(&processes).collect::<Vec<_>>(), [&""; 0]);
}

#[test]
fn calls_of_functions_name_services_of_the_stack() {
    /// Those with one service, and those with any number.
    const OF_ONE: [&str; 5] = ["check_config", "events", "logs", "management", "request"];
    const OF_MANY: [&str; 4] = ["processes", "restart", "start", "stop"];
    let (services, mut count, mut problems) = (services(), 0, Vec::new());
    for (place, page) in pages() {
        let commands = glasshouse_runbooks::commands(&page).into_iter();
        for command in commands.filter(|command| !command.has_placeholder()) {
            let call = command.text.split(['|', '#', ';', '&', '>']).next().unwrap_or_default();
            let mut words = call.split_whitespace();
            let named: Vec<_> = match words.next() {
                Some(function) if OF_ONE.contains(&function) => words.take(1).collect(),
                Some(function) if OF_MANY.contains(&function) => words.collect(),
                _ => continue,
            };
            count += 1;
            let unknown = named.into_iter().filter(|name| !services.contains(*name));
            problems.extend(unknown.map(|name| format!("{place}: no service {name}: {}", command.text)));
        }
    }
    assert!(count > 80, "not all calls were found: {count}");
    assert_eq!(problems, [""; 0]);
}

/// All else is a function, which works for processes too (`drill/tests/shown`).
#[test]
fn what_is_about_containers_alone_is_marked() {
    let mut problems = Vec::new();
    for (place, page) in pages() {
        let commands = glasshouse_runbooks::commands(&page).into_iter();
        let unmarked = commands.filter(|command| {
            let mut words = command.text.split_whitespace();
            let is_docker = words.clone().any(|word| word == "docker");
            let is_local = words.next() == Some("curl") && command.text.contains("localhost");
            (is_docker || is_local) && !command.has_placeholder() && command.platform == Platform::Any
        });
        problems.extend(unmarked.map(|command| format!("{place}: {}", command.text)));
    }
    assert_eq!(problems, [""; 0]);
}

#[test]
fn the_services_of_a_command_are_found() {
    assert_eq!(named_services("logs --tail 50 --no-log-prefix collector"), ["collector"]);
    assert_eq!(named_services("exec -T redis redis-cli ping"), ["redis"]);
    assert_eq!(named_services("up -d --scale workers=2 worker api"), ["worker", "api", "workers"]);
    assert_eq!(named_services("run --rm migrate audit --ledger http://x"), ["migrate"]);
    assert_eq!(named_services("ps --all"), [""; 0]);
}

/// No manifests for Kubernetes are shipped. The pages assume the names that the README states.
#[test]
fn kubectl_commands_name_deployments_that_the_readme_states() {
    let readme = std::fs::read_to_string(project().runbooks().unwrap().join("README.md")).unwrap();
    assert!(
        readme.contains(
            "No Kubernetes manifests are shipped: the commands assume deployments `api` and `worker`"
        )
    );
    for (place, page) in pages() {
        for command in commands(&page, "kubectl ") {
            let objects = command.split_whitespace().filter_map(|word| word.strip_prefix("deployment/"));
            let unknown: Vec<_> = objects.filter(|name| !["api", "worker"].contains(name)).collect();
            assert!(unknown.is_empty(), "{place}: {command}");
        }
    }
}

/// The sentence of a page that says when its alert fires.
fn fires(page: &str) -> Option<String> {
    let sentence = page.split("**Fires** when").nth(1)?.split("\n\n").next()?;
    Some(sentence.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn the_threshold_of_an_alert_stands_on_its_page() {
    /// Alerts on a state, such as up or down, which has no number.
    const ON_STATES: [&str; 5] = ["InstanceDown", "NotReady", "PublicEndpointDown", "TargetDown", "Watchdog"];
    let mut problems = Vec::new();
    for alert in Alerts::read(&project()).unwrap().iter() {
        let page = std::fs::read_to_string(project().runbook(&alert.name).unwrap()).unwrap();
        let Some(sentence) = fires(&page) else {
            problems.push(format!("{}: its page has no sentence **Fires** when …", alert.name));
            continue;
        };
        let (Threshold::Above(value) | Threshold::Below(value)) = alert.thresholds[0];
        let number = |number: f64| format!(" {}", (number * 1e6).round() / 1e6);
        let texts = [number(value), format!("{} %", number(value * 100.0))];
        if !ON_STATES.contains(&&*alert.name) && !texts.iter().any(|text| sentence.contains(text)) {
            problems.push(format!("{}: neither{} in “{sentence}”", alert.name, texts.join(" nor")));
        }
    }
    assert_eq!(problems, [""; 0]);
}
