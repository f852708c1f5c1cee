//! What Grafana's panels have of their own.

use serde_json::{Value, json};

use super::{Kind, Panel, Unit};

/// The plugin that draws a panel. All of them are part of Grafana.
pub(super) fn plugin(kind: Kind) -> &'static str {
    match kind {
        Kind::Stat | Kind::Presence => "stat",
        Kind::TimeSeries | Kind::Stacked => "timeseries",
        Kind::Table => "table",
        Kind::BarGauge => "bargauge",
        Kind::Heatmap => "heatmap",
        Kind::StateTimeline => "state-timeline",
        Kind::Text => "text",
        Kind::Logs => "logs",
        Kind::Traces => "traces",
        Kind::NodeGraph => "nodeGraph",
        Kind::FlameGraph => "flamegraph",
    }
}

/// How series get their colours.
pub(super) fn color(panel: &Panel) -> &'static str {
    match panel.kind {
        Kind::Stat | Kind::Presence | Kind::Table => "thresholds",
        Kind::BarGauge | Kind::StateTimeline if panel.is_judged() => "thresholds",
        _ => "palette-classic",
    }
}

/// From where on values have which colour.
pub(super) fn steps(panel: &Panel) -> Value {
    match panel.judgement {
        None => json!([{ "color": "text", "value": null }]),
        Some(judgement) if panel.kind == Kind::TimeSeries => judgement.of_line(),
        Some(judgement) => judgement.of_values(),
    }
}

/// Words for values.
pub(super) fn mappings(kind: Kind) -> Value {
    match kind {
        Kind::Presence => json!([{ "type": "value", "options": {
            "0": { "text": "gone", "color": "red" },
            "1": { "text": "up", "color": "green" },
        } }]),
        _ => json!([]),
    }
}

/// Where a scale ends at least. Otherwise one of zeros alone would go up to 100, or 10000 %.
fn least_scale(panel: &Panel) -> Option<f64> {
    let nothing_bad = match panel.unit {
        // The alerts on times are far above ordinary ones, which would be a flat line then.
        Unit::Seconds | Unit::Bytes | Unit::Dollars | Unit::None => return None,
        Unit::Share => 0.01,
        Unit::RequestsPerSecond | Unit::PerSecond | Unit::PerMinute | Unit::Count => 1.0,
    };
    panel.judgement.and_then(|judgement| judgement.scale()).or(Some(nothing_bad))
}

/// The plugin's options.
pub(super) fn of(panel: &Panel) -> Value {
    let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match panel.kind {
        Kind::Stat => json!({
            "reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto",
            "justifyMode": "center", "orientation": "auto",
        }),
        Kind::Presence => json!({
            "reduceOptions": last, "colorMode": "background", "graphMode": "none", "textMode": "value_and_name",
            "justifyMode": "center", "orientation": "vertical",
        }),
        Kind::TimeSeries | Kind::Stacked => json!({
            "legend": {
                "showLegend": true, "displayMode": "table", "placement": "bottom",
                "calcs": ["lastNotNull", "max"], "sortBy": "Last *", "sortDesc": true,
            },
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Kind::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
        Kind::BarGauge => json!({
            "reduceOptions": last, "orientation": "horizontal", "displayMode": "basic",
            "valueMode": "color", "showUnfilled": true,
        }),
        Kind::Heatmap => json!({
            "calculate": false,
            "color": { "mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "steps": 64 },
            "yAxis": { "unit": panel.unit.id() },
            "cellGap": 1,
            "legend": { "show": true },
            "tooltip": { "mode": "single", "yHistogram": true },
            "exemplars": { "color": "blue" },
        }),
        Kind::StateTimeline => json!({
            "showValue": "never", "mergeValues": true, "rowHeight": 0.8,
            "legend": { "showLegend": false, "displayMode": "list", "placement": "bottom" },
            "tooltip": { "mode": "single" },
        }),
        Kind::Text => json!({ "mode": "markdown", "content": panel.text }),
        Kind::Logs => json!({
            "showTime": true, "wrapLogMessage": true, "enableLogDetails": true, "sortOrder": "Descending",
            "dedupStrategy": "none", "showLabels": false, "prettifyLogMessage": false,
        }),
        Kind::Traces | Kind::NodeGraph | Kind::FlameGraph => json!({}),
    }
}

/// How the plugin draws a series.
pub(super) fn custom(panel: &Panel) -> Value {
    let mut custom = match panel.kind {
        Kind::TimeSeries => json!({
            "drawStyle": "line", "lineWidth": 2, "fillOpacity": 5, "showPoints": "never", "spanNulls": false,
            "thresholdsStyle": { "mode": if panel.is_judged() { "dashed" } else { "off" } },
        }),
        Kind::Stacked => json!({
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40, "showPoints": "never",
            "stacking": { "mode": "normal", "group": "A" },
        }),
        Kind::StateTimeline => json!({ "fillOpacity": 80, "lineWidth": 0 }),
        Kind::Table => json!({ "minWidth": 90 }),
        _ => json!({}),
    };
    let has_scale = matches!(panel.kind, Kind::TimeSeries | Kind::Stacked);
    if let Some(least) = least_scale(panel).filter(|_| has_scale && panel.max.is_none()) {
        custom["axisSoftMax"] = json!(least);
    }
    custom
}
