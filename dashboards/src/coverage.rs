//! The panels with a query that CI cannot run, because its stack of processes has no such server: a table for
//! `docs/dashboards.md`. The syntax of all queries is checked everywhere.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, Result};
use glasshouse_drill::contract::external_sources;
use glasshouse_drill::grafana::{DashboardFile, has_data};
use glasshouse_drill::promql::parse;
use serde_json::Value;

/// The lines of the document around the table.
const MARKERS: [&str; 2] =
    ["<!-- panels that CI cannot run -->\n", "<!-- end of panels that CI cannot run -->\n"];

/// The document with its table replaced.
///
/// # Errors
/// A query cannot be parsed, or the document has no place for the table.
pub fn write_table(document: &str, dashboards: &[DashboardFile]) -> Result<String> {
    let [begin, end] = MARKERS;
    let missing = |marker: &str| format!("the line {} is missing", marker.trim());
    let (before, rest) = document.split_once(begin).with_context(|| missing(begin))?;
    let (_, after) = rest.split_once(end).with_context(|| missing(end))?;
    Ok(format!("{before}{begin}{}{end}{after}", table(dashboards)?))
}

fn table(dashboards: &[DashboardFile]) -> Result<String> {
    let mut table = "| dashboard | panel | data of | checked by |\n| --- | --- | --- | --- |\n".to_owned();
    for dashboard in dashboards {
        let name = dashboard.json()["title"].as_str().unwrap_or_default();
        for panel in dashboard.panels() {
            let sources = sources(dashboard, panel)?;
            if sources.is_empty() {
                continue;
            }
            let (title, command) = (panel["title"].as_str().unwrap_or_default(), command(panel, &sources));
            let limit = if has_data(panel) { "" } else { "; it has data during a fault alone" };
            let sources: Vec<_> = sources.into_iter().collect();
            // Writing to a string does not fail.
            let _ = writeln!(table, "| {name} | {title} | {} | {command}{limit} |", sources.join(", "));
        }
    }
    Ok(table)
}

/// The servers that answer the queries of a panel, without those of CI.
fn sources(dashboard: &DashboardFile, panel: &Value) -> Result<BTreeSet<&'static str>> {
    let mut sources = BTreeSet::new();
    for target in panel["targets"].as_array().into_iter().flatten() {
        match target["datasource"]["type"].as_str() {
            Some("prometheus") => {
                let query = dashboard.query("", target["expr"].as_str().unwrap_or_default());
                sources.extend(external_sources(&parse(&query.expression)?));
            }
            Some("loki") => drop(sources.insert("Loki")),
            Some("tempo") => drop(sources.insert("Tempo")),
            Some("grafana-pyroscope-datasource") => drop(sources.insert("Pyroscope")),
            _ => {}
        }
    }
    Ok(sources)
}

/// The command that checks a panel on a machine with Docker.
fn command(panel: &Value, sources: &BTreeSet<&str>) -> &'static str {
    let targets = panel["targets"].as_array().into_iter().flatten();
    let of_one_trace = |target: &Value| {
        let text = target["query"].as_str().or(target["expr"].as_str()).unwrap_or_default();
        text.contains("${trace_id}") || text.contains("${request_id}")
    };
    if targets.clone().any(of_one_trace) {
        "`make follow-a-trace`"
    } else if targets.into_iter().any(|target| target["queryType"] == "serviceMap") {
        "`scripts/screenshot-dashboards`, by eye: the query is Grafana's own"
    } else if sources.contains("k6") {
        "`make dashboards-check` during `docker compose run --rm k6 run /scenarios/average-load.js`"
    } else if sources.contains("the containers") {
        "`make dashboards-check`, with the profile `containers`"
    } else {
        "`make dashboards-check`"
    }
}

#[cfg(test)]
mod tests {
    use glasshouse_drill::grafana::FAULT_ONLY;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_panel_is_listed_if_ci_has_no_server_for_its_query() {
        let target = |kind: &str, query: &str| json!({ "datasource": { "type": kind }, "expr": query });
        let panel = |title: &str, target| json!({ "type": "stat", "title": title, "targets": [target] });
        let dashboard = DashboardFile::new(json!({ "uid": "d", "title": "D", "panels": [
            panel("Own", target("prometheus", "rate(http_requests_total[5m])")),
            panel("VUs", target("prometheus", "sum(k6_vus)")),
            panel("Trace", json!({ "datasource": { "type": "tempo" }, "query": "${trace_id}" })),
            panel("Logs", target("loki", "{a=\"b\"}")),
            json!({ "type": "stat", "title": "Down", "description": FAULT_ONLY, "targets": [target("prometheus", "pg_up == 0")] }),
        ] }));
        let document = format!("a\n{}old\n{}b\n", MARKERS[0], MARKERS[1]);
        let written = write_table(&document, &[dashboard]).unwrap();
        let rows: Vec<_> = written.lines().filter(|line| line.starts_with("| D |")).collect();
        assert_eq!(
            rows,
            [
                "| D | VUs | k6 | `make dashboards-check` during `docker compose run --rm k6 run /scenarios/average-load.js` |",
                "| D | Trace | Tempo | `make follow-a-trace` |",
                "| D | Logs | Loki | `make dashboards-check` |",
                "| D | Down | the exporters of Postgres and Redis | `make dashboards-check`; it has data during a fault alone |",
            ]
        );
        assert!(written.starts_with("a\n") && written.ends_with("b\n") && !written.contains("old"));
    }

    #[test]
    fn a_document_without_a_place_is_an_error() {
        let error = write_table("", &[]).unwrap_err();
        assert_eq!(error.to_string(), "the line <!-- panels that CI cannot run --> is missing");
    }
}
