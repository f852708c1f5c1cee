//! Every panel has an id, a title, a description, a unit, a query and a place of its own.

use std::collections::BTreeSet;

use glasshouse_drill::grafana::DashboardFile;
use serde_json::{Value, json};

use crate::{dashboard, dashboards, text};

fn problems(dashboard: &DashboardFile) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in dashboard.json()["panels"].as_array().unwrap() {
        let title = text(&panel["title"]);
        let mut report = |problem: &str| problems.push(format!("{}, {title}: {problem}", dashboard.uid()));
        if !ids.insert(panel["id"].as_u64()) {
            report("duplicate id");
        }
        if title.is_empty() {
            report("no title");
        }
        if panel["type"] != "row" && !titles.insert(title) {
            report("duplicate title");
        }
        if panel["panels"].as_array().is_some_and(|inside| !inside.is_empty()) {
            report("panels inside a collapsed row are not checked");
        }
        if panel["type"] != "row" {
            of_content(panel).into_iter().for_each(&mut report);
        }
        let cells = cells(panel);
        if cells.is_empty() || cells.iter().any(|(x, _)| *x >= 24) {
            report("exceeds the grid");
        }
        if !cells.into_iter().all(|cell| taken.insert(cell)) {
            report("overlaps another panel");
        }
    }
    problems
}

fn of_content(panel: &Value) -> Vec<&'static str> {
    let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: BTreeSet<_> = targets.iter().map(|target| text(&target["refId"])).collect();
    let checks = [
        (text(&panel["description"]).len() > 40, "description is too short"),
        (!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "no unit"),
        (panel["type"] == "text" || !targets.is_empty(), "no query"),
        (ids.len() == targets.len(), "duplicate refId"),
    ];
    checks.into_iter().filter(|(is_fine, _)| !is_fine).map(|(_, problem)| problem).collect()
}

/// The cells of the grid that a panel covers: column and line.
fn cells(panel: &Value) -> Vec<(u64, u64)> {
    let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
    let lines = at("y")..at("y") + at("h");
    lines.flat_map(|y| (at("x")..at("x") + at("w")).map(move |x| (x, y))).collect()
}

#[test]
fn every_panel_is_complete_and_has_a_place_of_its_own() {
    let found: Vec<_> = dashboards().iter().flat_map(problems).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn problems_of_a_panel_are_reported() {
    let uid = "glasshouse-overview";
    let mut json = dashboard(uid).json().clone();
    let sound = DashboardFile::new(json.clone());
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
    let found = problems(&DashboardFile::new(json.clone()));
    let expected = [
        "duplicate id",
        "duplicate title",
        "description is too short",
        "no unit",
        "no query",
        "exceeds the grid",
    ];
    let expected = expected.map(|problem| format!("{uid}, {title}: {problem}"));
    assert!(expected.iter().all(|problem| found.contains(problem)), "{found:?}");

    let mut json = sound.json().clone();
    let first = json["panels"][1]["gridPos"].clone();
    json["panels"][2]["gridPos"] = first;
    let found = problems(&DashboardFile::new(json));
    assert!(found.iter().any(|problem| problem.ends_with("overlaps another panel")), "{found:?}");
}
