//! A panel and its settings.

use glasshouse_drill::grafana::FAULT_ONLY;
use serde_json::{Value, json};

use super::alert::Alert;
use super::query::Query;
use super::threshold::{ColoredThreshold, Threshold};
use super::unit::Unit;

/// How a panel shows the results of its queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visualization {
    /// A single number.
    Stat,
    /// A tile for each series: up (1) or down (0).
    UpDown,
    /// Lines over time.
    TimeSeries,
    /// Stacked areas over time, for parts of a whole.
    StackedArea,
    /// A row for each series, a column for each query.
    Table,
    /// A bar for each series.
    BarGauge,
    /// The buckets of a histogram over time.
    Heatmap,
    /// States over time.
    StateTimeline,
    /// Text in Markdown.
    Text,
    /// Log records.
    Logs,
    /// Traces, or the spans of one.
    Traces,
    /// A graph of services and calls.
    NodeGraph,
    /// A CPU profile.
    FlameGraph,
}

/// A panel of a dashboard.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(super) visualization: Visualization,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) unit: Unit,
    pub(super) queries: Vec<Query>,
    pub(super) alerts: Vec<Alert>,
    pub(super) threshold: Option<ColoredThreshold>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) no_value: Option<String>,
    pub(super) links: Vec<Value>,
    pub(super) overrides: Vec<Value>,
    pub(super) transformations: Vec<Value>,
    pub(super) text: String,
}

impl Panel {
    /// A panel without queries. The description says what the panel shows, and what to do when it looks bad.
    pub fn new(visualization: Visualization, unit: Unit, title: &str, description: &str) -> Self {
        Self {
            visualization,
            title: title.to_owned(),
            description: description.to_owned(),
            unit,
            queries: Vec::new(),
            alerts: Vec::new(),
            threshold: None,
            min: (unit != Unit::None).then_some(0.0),
            max: None,
            no_value: None,
            links: Vec::new(),
            overrides: Vec::new(),
            transformations: Vec::new(),
            text: String::new(),
        }
    }

    /// A panel of text.
    pub fn text(title: &str, description: &str, markdown: String) -> Self {
        Self { text: markdown, ..Self::new(Visualization::Text, Unit::None, title, description) }
    }

    /// The value of an alert over time, with its threshold, its runbook and its drill.
    pub(super) fn of_alert(alert: &Alert) -> Self {
        let description = "The value that the alert compares with its threshold, which is the line.";
        Self::new(Visualization::TimeSeries, Unit::Count, &alert.name, description)
            .query(Query::range(&alert.value))
            .alert(alert)
    }

    /// Adds a query.
    #[must_use]
    pub fn query(mut self, query: Query) -> Self {
        self.queries.push(query);
        self
    }

    /// Adds an alert on the value of this panel: the threshold of its first condition, its runbook and its drill.
    #[must_use]
    pub fn alert(self, alert: &Alert) -> Self {
        self.alert_on(alert, 0)
    }

    /// As [`alert`](Self::alert), with the threshold of another condition, counted from 0.
    #[must_use]
    pub fn alert_on(mut self, alert: &Alert, condition: usize) -> Self {
        if let Some(threshold) = alert.thresholds.get(condition) {
            self.threshold = Some(alert.colored(*threshold));
        }
        self.related_alert(alert)
    }

    /// Adds an alert without its threshold, which applies to another value.
    #[must_use]
    pub fn related_alert(mut self, alert: &Alert) -> Self {
        self.links.push(json!({
            "title": format!("Runbook of {}", alert.name),
            "url": alert.runbook_url(),
            "targetBlank": true,
        }));
        self.alerts.push(alert.clone());
        self
    }

    /// Sets a threshold that no alert has.
    #[must_use]
    pub fn threshold(mut self, threshold: Threshold) -> Self {
        self.threshold = Some(ColoredThreshold { threshold, color: "orange" });
        self
    }

    /// Sets the maximum of the axis.
    #[must_use]
    pub fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// Sets the text of an empty panel.
    #[must_use]
    pub fn no_value(mut self, text: &str) -> Self {
        self.no_value = Some(text.to_owned());
        self
    }

    /// Notes in the description that the panel has data only during a fault, and names the drill that causes one.
    #[must_use]
    pub fn fault_only(mut self, scenario: &str) -> Self {
        self.description += &format!(" {FAULT_ONLY}: `make drill NAME={scenario}`.");
        self
    }

    /// Removes the minimum of 0 from the axis.
    #[must_use]
    pub fn allow_negative(mut self) -> Self {
        self.min = None;
        self
    }

    /// Uses a logarithmic axis to base 10.
    #[must_use]
    pub fn logarithmic(self) -> Self {
        let scale = json!({ "type": "log", "log": 10 });
        self.override_fields("byType", "number", &[("custom.scaleDistribution", scale), ("min", json!(1))])
    }

    /// Adds a link to another dashboard.
    #[must_use]
    pub fn dashboard_link(mut self, title: &str, uid: &str) -> Self {
        self.links.push(json!({ "title": title, "url": format!("/d/{uid}?${{__url_time_range}}") }));
        self
    }

    /// Draws the series whose names end with `suffix` as limits: dashed red lines without an area.
    #[must_use]
    pub fn limit_series(self, suffix: &str) -> Self {
        self.override_fields(
            "byRegexp",
            &format!("/{suffix}$/"),
            &[
                ("color", json!({ "mode": "fixed", "fixedColor": "red" })),
                ("custom.lineStyle", json!({ "fill": "dash", "dash": [10, 10] })),
                ("custom.fillOpacity", json!(0)),
            ],
        )
    }

    /// Sets the color of a series.
    #[must_use]
    pub fn series_color(self, series: &str, color: &str) -> Self {
        self.override_fields("byName", series, &[("color", json!({ "mode": "fixed", "fixedColor": color }))])
    }

    /// Sets the title and unit of the value column of a query, which is given by its letter. An empty letter means the only
    /// query.
    #[must_use]
    pub fn column(self, query: &str, title: &str, unit: Unit) -> Self {
        let column = if query.is_empty() { "Value".to_owned() } else { format!("Value #{query}") };
        self.override_fields("byName", &column, &[("displayName", json!(title)), ("unit", json!(unit.id()))])
    }

    /// Sets the width of a column of a table in pixels.
    #[must_use]
    pub fn column_width(self, column: &str, pixels: u32) -> Self {
        self.override_fields("byName", column, &[("custom.width", json!(pixels))])
    }

    /// Overrides properties of the fields that a matcher selects.
    #[must_use]
    pub fn override_fields(mut self, matcher: &str, fields: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<_> =
            properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
        self.overrides.push(json!({
            "matcher": { "id": matcher, "options": fields },
            "properties": properties,
        }));
        self
    }

    /// Adds a transformation of the query results.
    #[must_use]
    pub fn transform(mut self, id: &str, options: Value) -> Self {
        self.transformations.push(json!({ "id": id, "options": options }));
        self
    }

    /// Merges the results of all queries into one table, sorted by a column, with the columns `first` in front.
    #[must_use]
    pub fn merged_table(self, first: &[&str], sorted_by: &str) -> Self {
        let order: serde_json::Map<_, _> =
            first.iter().enumerate().map(|(index, column)| ((*column).to_owned(), json!(index))).collect();
        self.transform("merge", json!({}))
            .transform("organize", json!({ "excludeByName": { "Time": true }, "indexByName": order }))
            .transform("sortBy", json!({ "sort": [{ "field": sorted_by, "desc": true }] }))
    }

    pub(super) fn has_threshold(&self) -> bool {
        self.threshold.is_some()
    }
}
