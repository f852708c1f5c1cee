use glasshouse_drill::grafana::data_source::Source;
use serde_json::{Value, json};

use super::threshold::Judgement;
use super::{Alert, Badness, Query, Unit, options};

/// How a panel shows what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One big number.
    Stat,
    /// A tile for each thing that is there (1) or gone (0).
    Presence,
    /// Lines over time.
    TimeSeries,
    /// Areas over time, one on the other: parts of a whole.
    Stacked,
    /// A row for each series, a column for each query.
    Table,
    /// Bars side by side.
    BarGauge,
    /// The buckets of a histogram over time.
    Heatmap,
    /// What state something was in, over time.
    StateTimeline,
    /// A text in Markdown.
    Text,
    /// Log lines.
    Logs,
    /// Traces, or the spans of one.
    Traces,
    /// Services and the calls between them.
    NodeGraph,
    /// A profile.
    FlameGraph,
}

/// A panel.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(super) kind: Kind,
    title: String,
    description: String,
    pub(super) unit: Unit,
    queries: Vec<Query>,
    alerts: Vec<Alert>,
    pub(super) judgement: Option<Judgement>,
    min: Option<f64>,
    pub(super) max: Option<f64>,
    empty: Option<String>,
    links: Vec<Value>,
    overrides: Vec<Value>,
    transformations: Vec<Value>,
    pub(super) text: String,
}

impl Panel {
    /// A panel. Its description says what to do when it looks bad.
    pub fn new(kind: Kind, unit: Unit, title: &str, description: &str) -> Self {
        Self {
            kind,
            title: title.to_owned(),
            description: description.to_owned(),
            unit,
            queries: Vec::new(),
            alerts: Vec::new(),
            judgement: None,
            min: (unit != Unit::None).then_some(0.0),
            max: None,
            empty: None,
            links: Vec::new(),
            overrides: Vec::new(),
            transformations: Vec::new(),
            text: String::new(),
        }
    }

    /// A panel of text alone.
    pub fn text(title: &str, description: &str, markdown: String) -> Self {
        Self { text: markdown, ..Self::new(Kind::Text, Unit::None, title, description) }
    }

    /// Adds a query.
    #[must_use]
    pub fn query(mut self, query: Query) -> Self {
        self.queries.push(query);
        self
    }

    /// The panel shows what this alert compares: its first condition's threshold, its runbook and its drill.
    #[must_use]
    pub fn alert(self, alert: &Alert) -> Self {
        self.alert_on(alert, 0)
    }

    /// As `alert`, with the threshold of another of its conditions, counted from 0.
    #[must_use]
    pub fn alert_on(mut self, alert: &Alert, condition: usize) -> Self {
        if let Some(badness) = alert.conditions.get(condition) {
            self.judgement = Some(alert.judgement(*badness));
        }
        self.also(alert)
    }

    /// Names another alert that has to do with the panel, but with another threshold.
    #[must_use]
    pub fn also(mut self, alert: &Alert) -> Self {
        self.links.push(json!({
            "title": format!("Runbook of {}", alert.name),
            "url": alert.runbook_url(),
            "targetBlank": true,
        }));
        self.alerts.push(alert.clone());
        self
    }

    /// Bad from this value on, although no alert says so.
    #[must_use]
    pub fn bad(mut self, badness: Badness) -> Self {
        self.judgement = Some(Judgement { badness, color: "orange" });
        self
    }

    /// The end of the scale, such as the limit of what is shown.
    #[must_use]
    pub fn up_to(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// What it says while there is nothing to show.
    #[must_use]
    pub fn empty_says(mut self, text: &str) -> Self {
        self.empty = Some(text.to_owned());
        self
    }

    /// Values may also be below 0.
    #[must_use]
    pub fn unbounded(mut self) -> Self {
        self.min = None;
        self
    }

    /// A scale on which each step is ten times the one before.
    #[must_use]
    pub fn logarithmic(self) -> Self {
        let scale = json!({ "type": "log", "log": 10 });
        self.set("byType", "number", &[("custom.scaleDistribution", scale), ("min", json!(1))])
    }

    /// Leads to another dashboard.
    #[must_use]
    pub fn leads_to(mut self, title: &str, uid: &str) -> Self {
        self.links.push(json!({ "title": title, "url": format!("/d/{uid}?${{__url_time_range}}") }));
        self
    }

    /// Draws the series whose names end like this as limits: dashed red lines without an area.
    #[must_use]
    pub fn limit(self, ending: &str) -> Self {
        self.set(
            "byRegexp",
            &format!("/{ending}$/"),
            &[
                ("color", json!({ "mode": "fixed", "fixedColor": "red" })),
                ("custom.lineStyle", json!({ "fill": "dash", "dash": [10, 10] })),
                ("custom.fillOpacity", json!(0)),
            ],
        )
    }

    /// Always the same colour for a series.
    #[must_use]
    pub fn color(self, series: &str, color: &str) -> Self {
        self.set("byName", series, &[("color", json!({ "mode": "fixed", "fixedColor": color }))])
    }

    /// Names a column of a table and gives it a unit. `query` is its letter: the value of the first query is
    /// in the column `Value #A`, or `Value` if it is the only one.
    #[must_use]
    pub fn column(self, query: &str, title: &str, unit: Unit) -> Self {
        let column = if query.is_empty() { "Value".to_owned() } else { format!("Value #{query}") };
        self.set("byName", &column, &[("displayName", json!(title)), ("unit", json!(unit.id()))])
    }

    /// How many pixels a column of a table is wide.
    #[must_use]
    pub fn width(self, column: &str, pixels: u32) -> Self {
        self.set("byName", column, &[("custom.width", json!(pixels))])
    }

    /// Sets properties of the fields that a matcher finds.
    #[must_use]
    pub fn set(mut self, matcher: &str, fields: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<_> =
            properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
        self.overrides.push(json!({
            "matcher": { "id": matcher, "options": fields },
            "properties": properties,
        }));
        self
    }

    /// Changes what the queries gave before it is shown.
    #[must_use]
    pub fn transform(mut self, id: &str, options: Value) -> Self {
        self.transformations.push(json!({ "id": id, "options": options }));
        self
    }

    /// One table of all queries, sorted by a column, with these columns first.
    #[must_use]
    pub fn one_table(self, first: &[&str], sorted_by: &str) -> Self {
        let backends: serde_json::Map<_, _> =
            first.iter().enumerate().map(|(place, column)| ((*column).to_owned(), json!(place))).collect();
        self.transform("merge", json!({}))
            .transform("organize", json!({ "excludeByName": { "Time": true }, "indexByName": places }))
            .transform("sortBy", json!({ "sort": [{ "field": sorted_by, "desc": true }] }))
    }

    pub(super) fn is_judged(&self) -> bool {
        self.judgement.is_some()
    }

    pub(super) fn to_json(&self) -> Value {
        let source = self.queries.first().map_or(Source::Prometheus, |query| query.source);
        let targets: Vec<_> =
            self.queries.iter().enumerate().map(|(number, query)| query.to_json(number)).collect();
        let advice = self.alerts.iter().map(|alert| format!("\n\n{}", alert.advice()));
        json!({
            "type": options::plugin(self.kind),
            "title": self.title,
            "description": std::iter::once(self.description.clone()).chain(advice).collect::<String>(),
            "datasource": source.reference(),
            "targets": targets,
            "fieldConfig": { "defaults": self.defaults(), "overrides": self.overrides },
            "options": options::of(self),
            "transformations": self.transformations,
            "links": self.links,
        })
    }

    fn defaults(&self) -> Value {
        let mut defaults = json!({
            "unit": self.unit.id(),
            "thresholds": { "mode": "absolute", "steps": options::steps(self) },
            "color": { "mode": options::color(self) },
            "custom": options::custom(self),
            "mappings": options::mappings(self.kind),
        });
        if let Some(min) = self.min {
            defaults["min"] = json!(min);
        }
        if let Some(max) = self.max {
            defaults["max"] = json!(max);
        }
        if let Some(empty) = &self.empty {
            defaults["noValue"] = json!(empty);
        }
        defaults
    }
}
