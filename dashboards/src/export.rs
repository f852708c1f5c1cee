//! Exports what another monitoring stack can use: dashboards to import, and a mixin (rules and dashboards) for Jsonnet.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use glasshouse_drill::grafana::DashboardFile;
use glasshouse_drill::project::Project;
use glasshouse_drill::rules::RuleFiles;
use serde_json::{Value, json};

use crate::alerts::{Alerts, RUNBOOKS};
use crate::pages;

/// The oldest Grafana that the dashboards work with.
const GRAFANA: &str = "11.0.0";

/// Writes into a folder: `dashboards/*.json`, `alerts.json` and `rules.json` for Prometheus, and `mixin.libsonnet`, which
/// imports them. Links to runbooks begin with the URL `runbooks`, if one is given, and otherwise lead to a path of Grafana.
///
/// # Errors
/// A file of the project cannot be read, or a file cannot be written.
pub fn export(project: &Project, folder: &Path, runbooks: Option<&str>) -> Result<()> {
    let mut names = Vec::new();
    for dashboard in pages::all(&Alerts::read(project)?)? {
        let mut text = serde_json::to_string_pretty(&importable(dashboard.to_json()))? + "\n";
        if let Some(url) = runbooks {
            text = text.replace(RUNBOOKS, &format!("{}/", url.trim_end_matches('/')));
        }
        write(&folder.join("dashboards").join(dashboard.file_name()), &text)?;
        names.push(dashboard.file_name());
    }
    let rules = RuleFiles::read(&project.rules())?;
    for (name, kind) in [("alerts.json", "alert"), ("rules.json", "record")] {
        let groups = rules.groups(|rule| rule.get(kind).is_some())?;
        write(&folder.join(name), &(serde_json::to_string_pretty(&json!({ "groups": groups }))? + "\n"))?;
    }
    write(&folder.join("mixin.libsonnet"), &mixin(&names))
}

/// A dashboard that Grafana's import accepts: without an id, and with what it requires.
fn importable(mut dashboard: Value) -> Value {
    let file = DashboardFile::new(dashboard.clone());
    let panels: BTreeSet<_> = file.panels().iter().filter_map(|panel| panel["type"].as_str()).collect();
    let variables = dashboard["templating"]["list"].as_array().into_iter().flatten();
    let sources = variables.filter(|one| one["type"] == "datasource").filter_map(|one| one["query"].as_str());
    let requires = |kind: &str, id: &str| json!({ "type": kind, "id": id, "name": id, "version": "" });
    let all =
        panels.iter().map(|id| requires("panel", id)).chain(sources.map(|id| requires("datasource", id)));
    let grafana = json!({ "type": "grafana", "id": "grafana", "name": "Grafana", "version": GRAFANA });
    dashboard["__requires"] = std::iter::once(grafana).chain(all).collect();
    dashboard["id"] = Value::Null;
    dashboard
}

/// The mixin in Jsonnet, as <https://monitoring.mixins.dev> describes it.
fn mixin(dashboards: &[String]) -> String {
    let imports: String =
        dashboards.iter().map(|name| format!("    '{name}': import 'dashboards/{name}',\n")).collect();
    format!(
        "{{\n  grafanaDashboards+:: {{\n{imports}  }},\n  prometheusAlerts+:: {{ groups+: (import 'alerts.json').groups }},\n  \
         prometheusRules+:: {{ groups+: (import 'rules.json').groups }},\n}}\n"
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    let place = || path.display().to_string();
    std::fs::create_dir_all(path.parent().unwrap_or(path)).with_context(place)?;
    std::fs::write(path, text).with_context(place)
}
