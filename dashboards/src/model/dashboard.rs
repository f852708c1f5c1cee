//! A dashboard: variables, rows, and annotations.

use glasshouse_drill::grafana::data_source::DataSource;
use serde_json::{Value, json};

use super::alert::Alert;
use super::panel::Panel;
use super::row::Row;
use super::variable::Variable;
use crate::series::Series;

/// The tag of all our dashboards, which their links select.
const TAG: &str = "glasshouse";

/// A dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard {
    uid: String,
    title: String,
    description: String,
    variables: Vec<Variable>,
    rows: Vec<Row>,
    range: &'static str,
    refresh: &'static str,
}

impl Dashboard {
    /// An empty dashboard. Links and the file name contain the uid.
    pub fn new(uid: &str, title: &str, description: &str) -> Self {
        Self {
            uid: uid.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            variables: Vec::new(),
            rows: Vec::new(),
            range: "30m",
            refresh: "10s",
        }
    }

    /// Sets the time range until now that is shown at first, such as `24h`. A longer one is refreshed every minute.
    #[must_use]
    pub fn range(mut self, range: &'static str) -> Self {
        (self.range, self.refresh) = (range, "1m");
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn variable(mut self, variable: Variable) -> Self {
        self.variables.push(variable);
        self
    }

    /// Adds a row below the others.
    #[must_use]
    pub fn row(mut self, row: Row) -> Self {
        self.rows.push(row);
        self
    }

    /// Adds a row with a panel for each of these alerts that has this dashboard, and that no other panel shows.
    #[must_use]
    pub fn with_other_alerts<'a>(self, alerts: impl IntoIterator<Item = &'a Alert>) -> Self {
        let of_this = alerts.into_iter().filter(|alert| alert.dashboard == self.uid);
        let missing: Vec<_> = of_this.filter(|alert| !self.rows.iter().any(|row| row.shows(alert))).collect();
        if missing.is_empty() {
            return self;
        }
        let row = Row::new("Other alerts", 9);
        self.row(missing.into_iter().fold(row, |row, alert| row.panel(12, Panel::of_alert(alert))))
    }

    /// Adds a row with the runbook of each of these alerts that has this dashboard, below the graphs that it refers to.
    #[must_use]
    pub fn with_runbooks<'a>(self, alerts: impl IntoIterator<Item = &'a Alert>) -> Self {
        let of_this: Vec<_> = alerts.into_iter().filter(|alert| alert.dashboard == self.uid).collect();
        if of_this.is_empty() {
            return self;
        }
        let row = Row::new("Runbooks", 20);
        self.row(of_this.into_iter().fold(row, |row, alert| row.panel(12, Panel::runbook(alert))))
    }

    /// Filters all PromQL by the variables, where a metric has their labels.
    #[must_use]
    pub fn filtered(mut self, series: &Series) -> Self {
        let filters: Vec<_> = self.variables.iter().filter_map(Variable::filter).collect();
        self.rows.iter_mut().flat_map(Row::panels_mut).for_each(|panel| panel.filter(series, &filters));
        self
    }

    /// All panels, from top to bottom.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(Row::panels)
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The name of the file.
    pub fn file_name(&self) -> String {
        format!("{}.json", self.uid)
    }

    /// Grafana's JSON.
    pub fn to_json(&self) -> Value {
        let mut panels = Vec::new();
        self.rows.iter().fold(0, |top, row| row.write(top, &mut panels));
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": 41,
            "editable": false, // the files are written from code
            "graphTooltip": 1, // a crosshair that all panels share
            "refresh": self.refresh,
            "time": { "from": format!("now-{}", self.range), "to": "now" },
            "timezone": "browser",
            "templating": { "list": self.all_variables() },
            "annotations": { "list": annotations() },
            "links": [{
                "type": "dashboards",
                "title": "Dashboards",
                "tags": [TAG],
                "asDropdown": false,
                "keepTime": true,
                "includeVars": true,
                "targetBlank": false,
            }],
            "panels": panels,
        })
    }

    /// The variables, after those of the data sources. Annotations always need Prometheus.
    fn all_variables(&self) -> Vec<Value> {
        let is_used = |source: &DataSource| {
            *source == DataSource::Prometheus || self.panels().any(|panel| panel.uses(*source))
        };
        let all = [DataSource::Prometheus, DataSource::Loki, DataSource::Tempo, DataSource::Pyroscope];
        let sources = all.into_iter().filter(is_used).map(Variable::data_source);
        sources.chain(self.variables.iter().cloned()).map(|variable| variable.to_json()).collect()
    }
}

/// Annotations in all graphs: deployments, firing alerts, load tests.
fn annotations() -> Vec<Value> {
    let annotation = |name: &str, color: &str, query: &str, title: &str, text: &str| {
        json!({
            "name": name,
            "enable": true,
            "iconColor": color,
            "datasource": DataSource::Prometheus.reference(),
            "expr": query,
            "step": "15s",
            "titleFormat": title,
            "textFormat": text,
            "tagKeys": "",
        })
    };
    vec![
        // A build that did not run within the last hour. A restart of the same build is not a deployment.
        annotation(
            "Deployments",
            "blue",
            "count by (job, version, commit) (build_info) \
             unless on (job, version, commit) last_over_time(build_info[1h] offset 1m)",
            "Deployment of {{job}}",
            "{{version}} ({{commit}})",
        ),
        annotation(
            "Firing alerts",
            "red",
            "max by (alertname, service, severity) (ALERTS{alertstate=\"firing\", severity!=\"none\"})",
            "{{alertname}}",
            "{{service}}, {{severity}}",
        ),
        annotation("Load tests", "purple", "sum(k6_vus) > 0", "Load test", "k6 sends requests"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, dashboard: &str) -> Alert {
        Alert {
            name: name.to_owned(),
            summary: "The disk is full".to_owned(),
            severity: "warning".to_owned(),
            dashboard: dashboard.to_owned(),
            runbook: "disk-full".to_owned(),
            runbook_text: "Delete something.".to_owned(),
            scenario: "disk-full".to_owned(),
            values: vec!["disk_used".to_owned()],
            thresholds: Vec::new(),
        }
    }

    #[test]
    fn only_alerts_of_this_dashboard_that_no_panel_shows_get_a_panel() {
        let (missing, other) = (alert("DiskFull", "disks"), alert("QueueFull", "queues"));
        let dashboard = Dashboard::new("disks", "Disks", "Disks.").with_other_alerts([&missing, &other]);
        assert!(dashboard.rows[0].shows(&missing) && !dashboard.rows[0].shows(&other));
        assert_eq!(dashboard.with_other_alerts([&missing]).rows.len(), 1);
    }
}
