//! Writes a panel as Grafana's JSON, with the options of its plugin.

use glasshouse_drill::grafana::data_source::DataSource;
use serde_json::{Value, json};

use super::panel::{Panel, Visualization};
use super::unit::Unit;

impl Panel {
    pub(super) fn to_json(&self) -> Value {
        let source = self.queries.first().map_or(DataSource::Prometheus, |query| query.source);
        let targets: Vec<_> =
            self.queries.iter().enumerate().map(|(number, query)| query.to_json(number)).collect();
        let advice = self.alerts.iter().map(|alert| format!("\n\n{}", alert.advice()));
        let mut json = json!({
            "type": plugin(self.visualization),
            "title": self.title,
            "description": std::iter::once(self.description.clone()).chain(advice).collect::<String>(),
            "datasource": source.reference(),
            "targets": targets,
            "fieldConfig": { "defaults": self.defaults(), "overrides": self.overrides },
            "options": plugin_options(self),
            "transformations": self.transformations,
            "links": self.links,
        });
        if self.is_today {
            json["timeFrom"] = json!("now/d");
        }
        json
    }

    fn defaults(&self) -> Value {
        let mut defaults = json!({
            "unit": self.unit.id(),
            "thresholds": { "mode": "absolute", "steps": steps(self) },
            "color": { "mode": color_mode(self) },
            "custom": custom(self),
            "mappings": mappings(self.visualization),
        });
        if !self.data_links.is_empty() {
            defaults["links"] = json!(self.data_links);
        }
        if let Some(min) = self.min {
            defaults["min"] = json!(min);
        }
        if let Some(max) = self.max {
            defaults["max"] = json!(max);
        }
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        if let Some(text) = &self.no_value {
            defaults["noValue"] = json!(text);
        }
        defaults
    }
}

/// The plugin type. All plugins are part of Grafana.
fn plugin(visualization: Visualization) -> &'static str {
    match visualization {
        Visualization::Stat | Visualization::UpDown => "stat",
        Visualization::TimeSeries | Visualization::StackedArea => "timeseries",
        Visualization::Table => "table",
        Visualization::BarGauge => "bargauge",
        Visualization::Heatmap => "heatmap",
        Visualization::StateTimeline => "state-timeline",
        Visualization::Text => "text",
        Visualization::Logs => "logs",
        Visualization::Traces => "traces",
        Visualization::NodeGraph => "nodeGraph",
        Visualization::FlameGraph => "flamegraph",
    }
}

/// The color mode of series and values.
fn color_mode(panel: &Panel) -> &'static str {
    match panel.visualization {
        Visualization::Stat | Visualization::UpDown | Visualization::Table => "thresholds",
        Visualization::BarGauge | Visualization::StateTimeline if panel.has_lines() => "thresholds",
        _ => "palette-classic",
    }
}

/// The color steps of the threshold.
fn steps(panel: &Panel) -> Value {
    if let Some(states) = &panel.states {
        return states.to_json();
    }
    match panel.threshold {
        None => json!([{ "color": "text", "value": null }]),
        Some(threshold) if panel.visualization == Visualization::TimeSeries => threshold.line_steps(),
        Some(threshold) => threshold.value_steps(),
    }
}

/// Texts in place of values.
fn mappings(visualization: Visualization) -> Value {
    match visualization {
        Visualization::UpDown => json!([{ "type": "value", "options": {
            "0": { "text": "down", "color": "red" },
            "1": { "text": "up", "color": "green" },
        } }]),
        _ => json!([]),
    }
}

/// The smallest maximum of the axis. Without it, an axis of zeros would extend to 100, or to 10,000 %.
fn min_axis_max(panel: &Panel) -> Option<f64> {
    let without_threshold = match panel.unit {
        // Thresholds of these units are far above normal values, which would become a flat line.
        Unit::Seconds | Unit::Bytes | Unit::BytesPerSecond | Unit::Dollars | Unit::None => return None,
        Unit::Ratio => 0.01,
        Unit::Multiple | Unit::RequestsPerSecond | Unit::PerSecond(_) | Unit::PerMinute(_) | Unit::Count => {
            1.0
        }
    };
    panel.threshold.and_then(|threshold| threshold.axis_max()).or(Some(without_threshold))
}

/// The options of the plugin.
fn plugin_options(panel: &Panel) -> Value {
    let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match panel.visualization {
        Visualization::Stat => json!({
            "reduceOptions": last, "colorMode": "value", "graphMode": "none",
            "textMode": if panel.has_name { "value_and_name" } else { "auto" },
            "justifyMode": "center", "orientation": "auto",
        }),
        Visualization::UpDown => json!({
            "reduceOptions": last, "colorMode": "background", "graphMode": "none", "textMode": "value_and_name",
            "justifyMode": "center", "orientation": "vertical",
        }),
        Visualization::TimeSeries | Visualization::StackedArea => json!({
            "legend": {
                "showLegend": true, "displayMode": "list", "placement": "bottom",
                "calcs": if panel.has_legend_values { &["lastNotNull"][..] } else { &[] },
            },
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Visualization::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
        Visualization::BarGauge => json!({
            "reduceOptions": last, "orientation": "horizontal", "displayMode": "basic",
            "valueMode": "color", "showUnfilled": true,
        }),
        Visualization::Heatmap => json!({
            "calculate": false,
            "color": { "mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "steps": 64 },
            "yAxis": { "unit": panel.unit.id() },
            "cellGap": 1,
            "legend": { "show": true },
            "tooltip": { "mode": "single", "yHistogram": true },
            "exemplars": { "color": "blue" },
        }),
        Visualization::StateTimeline => json!({
            "showValue": "never", "mergeValues": true, "rowHeight": 0.8,
            "legend": { "showLegend": false, "displayMode": "list", "placement": "bottom" },
            "tooltip": { "mode": "single" },
        }),
        Visualization::Text => json!({ "mode": "markdown", "content": panel.text }),
        Visualization::Logs => json!({
            "showTime": true, "wrapLogMessage": true, "enableLogDetails": true, "sortOrder": "Descending",
            "dedupStrategy": "none", "showLabels": false, "prettifyLogMessage": false,
        }),
        Visualization::Traces | Visualization::NodeGraph | Visualization::FlameGraph => json!({}),
    }
}

/// The plugin's options for drawing a series.
fn custom(panel: &Panel) -> Value {
    let mut custom = match panel.visualization {
        Visualization::TimeSeries => json!({
            "drawStyle": "line", "lineWidth": 2, "fillOpacity": 5, "showPoints": "never", "spanNulls": false,
            "thresholdsStyle": { "mode": if panel.has_lines() { "dashed" } else { "off" } },
        }),
        Visualization::StackedArea => json!({
            "drawStyle": "line", "lineWidth": 0, "fillOpacity": 60, "showPoints": "never",
            "stacking": { "mode": "normal", "group": "A" },
        }),
        Visualization::StateTimeline => json!({ "fillOpacity": 80, "lineWidth": 0 }),
        Visualization::Table => json!({ "minWidth": 90 }),
        _ => json!({}),
    };
    let has_axis = matches!(panel.visualization, Visualization::TimeSeries | Visualization::StackedArea);
    if let Some(max) = min_axis_max(panel).filter(|_| has_axis && panel.max.is_none()) {
        custom["axisSoftMax"] = json!(max);
    }
    custom
}
