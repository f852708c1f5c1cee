//! A panel and its settings.

use glasshouse_drill::grafana::FAULT_ONLY;
use glasshouse_drill::grafana::data_source::DataSource;
use serde_json::{Value, json};

use super::alert::Alert;
use super::query::Query;
use super::threshold::{ColoredThreshold, States, Threshold};
use super::unit::Unit;
use crate::series::{Filter, Series};

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
    pub(super) states: Option<States>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) decimals: Option<u8>,
    pub(super) no_value: Option<String>,
    pub(super) links: Vec<Value>,
    pub(super) data_links: Vec<Value>,
    pub(super) linked_sources: Vec<DataSource>,
    pub(super) has_legend_values: bool,
    pub(super) has_name: bool,
    pub(super) is_today: bool,
    pub(super) unfiltered: Option<&'static str>,
    pub(super) fixed_window: Option<&'static str>,
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
            states: None,
            min: (unit != Unit::None).then_some(0.0),
            max: None,
            decimals: None,
            no_value: None,
            links: Vec::new(),
            data_links: Vec::new(),
            linked_sources: Vec::new(),
            has_legend_values: false,
            has_name: false,
            is_today: false,
            unfiltered: None,
            fixed_window: None,
            overrides: Vec::new(),
            transformations: Vec::new(),
            text: String::new(),
        }
    }

    /// A panel of text.
    pub fn text(title: &str, description: &str, markdown: String) -> Self {
        Self { text: markdown, ..Self::new(Visualization::Text, Unit::None, title, description) }
    }

    /// The runbook of an alert.
    pub(super) fn runbook(alert: &Alert) -> Self {
        let description = "What to do when the alert fires: the page of docs/runbooks, beside the graphs that it refers to.";
        Self::text(&format!("Runbook of {}", alert.name), description, alert.runbook_text.clone())
            .related_alert(alert)
    }

    /// The value of an alert over time, with its threshold, its runbook and its drill.
    pub(super) fn of_alert(alert: &Alert) -> Self {
        let description = "The value that the alert compares with its threshold, which is the line.";
        let value = alert.values.first().cloned().unwrap_or_default();
        let legend = if value.starts_with("vector(") { &alert.name } else { "{{job}} {{via}} {{instance}}" };
        Self::new(Visualization::TimeSeries, Unit::Count, &alert.name, description)
            .query(Query::range(&value).legend(legend))
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

    /// Colors values by state: those below the first step have the color `lowest`, and each step begins at its value.
    #[must_use]
    pub fn states(mut self, lowest: &'static str, steps: &[(f64, &'static str)]) -> Self {
        self.states = Some(States::new(lowest, steps));
        self
    }

    /// As [`states`](Self::states), for a value column of a table, given by the letter of its query.
    #[must_use]
    pub fn column_states(self, query: &str, lowest: &'static str, steps: &[(f64, &'static str)]) -> Self {
        self.override_fields(
            "byName",
            &format!("Value #{query}"),
            &[
                ("thresholds", json!({ "mode": "absolute", "steps": States::new(lowest, steps).to_json() })),
                ("custom.cellOptions", json!({ "type": "color-text" })),
            ],
        )
    }

    /// Sets the maximum of the axis.
    #[must_use]
    pub fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// Shows the time since midnight, whatever time range is selected.
    #[must_use]
    pub fn today(mut self) -> Self {
        self.is_today = true;
        self
    }

    /// Sets the number of decimals, for values that differ in the last ones.
    #[must_use]
    pub fn decimals(mut self, decimals: u8) -> Self {
        self.decimals = Some(decimals);
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

    /// Shows the newest value of each series in the legend.
    #[must_use]
    pub fn legend_values(mut self) -> Self {
        self.has_legend_values = true;
        self
    }

    /// Shows the name of the series beside its value.
    #[must_use]
    pub fn named_value(mut self) -> Self {
        self.has_name = true;
        self
    }

    /// Leaves the queries as they are, for a reason that the exclusions of dashboard-linter state.
    #[must_use]
    pub fn unfiltered(mut self, reason: &'static str) -> Self {
        self.unfiltered = Some(reason);
        self
    }

    /// Keeps the windows of its rates, for a reason that the exclusions of dashboard-linter state.
    #[must_use]
    pub fn fixed_window(mut self, reason: &'static str) -> Self {
        self.fixed_window = Some(reason);
        self
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The PromQL of its queries.
    pub fn promql(&self) -> impl Iterator<Item = &str> {
        self.queries.iter().filter_map(Query::as_promql)
    }

    /// Why its queries are not filtered by the variables, if they are not.
    pub fn unfiltered_reason(&self) -> Option<&'static str> {
        self.unfiltered
    }

    /// Why the windows of its rates are not `$__rate_interval`, if they are not.
    pub fn window_reason(&self) -> Option<String> {
        let alert = self.alerts.first().filter(|_| self.has_threshold());
        let of_alert = alert
            .map(|alert| format!("The window is that of {}, whose threshold the panel draws.", alert.name));
        self.fixed_window.map(str::to_owned).or(of_alert)
    }

    /// Whether a query or a link uses a data source.
    pub(super) fn uses(&self, source: DataSource) -> bool {
        self.queries
            .iter()
            .map(|query| query.source)
            .chain(self.linked_sources.iter().copied())
            .any(|used| used == source)
    }

    pub(super) fn filter(&mut self, series: &Series, filters: &[Filter]) {
        if self.unfiltered.is_none() {
            self.queries.iter_mut().for_each(|query| query.filter(series, filters));
        }
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

    /// Draws the series whose names end with `suffix` in shades of a color.
    #[must_use]
    pub fn series_shades(self, suffix: &str, color: &str) -> Self {
        let shades = json!({ "mode": "shades", "fixedColor": color });
        self.override_fields("byRegexp", &format!("/{suffix}$/"), &[("color", shades)])
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

    fn has_threshold(&self) -> bool {
        self.threshold.is_some()
    }

    /// Whether a graph draws thresholds.
    pub(super) fn has_lines(&self) -> bool {
        self.has_threshold() || self.states.is_some()
    }
}
