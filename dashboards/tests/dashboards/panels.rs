//! Every panel says what it is and what to do, asks something, and has its place.

use std::collections::BTreeSet;

use glasshouse_drill::grafana::Dashboard;
use serde_json::{Value, json};

use crate::{dashboard, dashboards, text};

fn problems(dashboard: &Dashboard) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in dashboard.json()["panels"].as_array().unwrap() {
        let title = text(&panel["title"]);
        let mut complain = |what: &str| problems.push(format!("{}, {title}: {what}", dashboard.uid()));
        if !ids.insert(panel["id"].as_u64()) {
            complain("another has its id");
        }
        if title.is_empty() {
            complain("no title");
        }
        if panel["type"] != "row" && !titles.insert(title) {
            complain("another has its title");
        }
        if panel["panels"].as_array().is_some_and(|inside| !inside.is_empty()) {
            complain("nobody looks at panels inside a row");
        }
        if panel["type"] != "row" {
            of_content(panel).into_iter().for_each(&mut complain);
        }
        let cells = cells(panel);
        if cells.is_empty() || cells.iter().any(|(x, _)| *x >= 24) {
            complain("it leaves the page");
        }
        if !cells.into_iter().all(|cell| taken.insert(cell)) {
            complain("it covers another");
        }
    }
    problems
}

fn of_content(panel: &Value) -> Vec<&'static str> {
    let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: BTreeSet<_> = targets.iter().map(|target| text(&target["refId"])).collect();
    let checks = [
        (text(&panel["description"]).len() > 40, "its description says too little"),
        (!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "no unit"),
        (panel["type"] == "text" || !targets.is_empty(), "no query"),
        (ids.len() == targets.len(), "two queries have one name"),
    ];
    checks.into_iter().filter(|(is_fine, _)| !is_fine).map(|(_, problem)| problem).collect()
}

/// The cells of the page that a panel covers: column and line.
fn cells(panel: &Value) -> Vec<(u64, u64)> {
    let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
    let lines = at("y")..at("y") + at("h");
    lines.flat_map(|y| (at("x")..at("x") + at("w")).map(move |x| (x, y))).collect()
}

#[test]
fn every_panel_is_complete_and_has_its_place() {
    let found: Vec<_> = dashboards().iter().flat_map(problems).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn what_a_panel_lacks_is_named() {
    let uid = "glasshouse-overview";
    let mut json = dashboard(uid).json().clone();
    let sound = Dashboard::new(json.clone());
    let panel = sound.panels()[1].clone();
    let changed = json["panels"].as_array_mut().unwrap().iter_mut().find(|one| **one == panel).unwrap();
    changed["description"] = json!("Look.");
    changed["fieldConfig"]["defaults"]["unit"] = json!("");
    changed["targets"] = json!([]);
    changed["gridPos"]["x"] = json!(23);
    changed["gridPos"]["w"] = json!(2);
    changed["title"] = sound.panels()[0]["title"].clone();
    changed["id"] = sound.panels()[0]["id"].clone();
    let title = text(&sound.panels()[0]["title"]);
    let found = problems(&Dashboard::new(json.clone()));
    let expected = [
        "another has its id",
        "another has its title",
        "its description says too little",
        "no unit",
        "no query",
        "it leaves the page",
    ];
    let expected = expected.map(|problem| format!("{uid}, {title}: {problem}"));
    assert!(expected.iter().all(|problem| found.contains(problem)), "{found:?}");

    let mut json = sound.json().clone();
    let first = json["panels"][1]["gridPos"].clone();
    json["panels"][2]["gridPos"] = first;
    let found = problems(&Dashboard::new(json));
    assert!(found.iter().any(|problem| problem.ends_with("it covers another")), "{found:?}");
}
