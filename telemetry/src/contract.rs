//! The telemetry contract: every metric and every event of a service, as JSON for programs and as tables for people.

use std::fmt::Write;

use serde::Serialize;

use crate::events::EventDefinition;
use crate::metrics::MetricDefinition;

/// Every metric and every event of a service.
#[derive(Clone, Debug, Serialize)]
pub struct Contract {
    /// The metrics, by concern.
    pub metrics: Vec<MetricDefinition>,
    /// The events, by concern.
    pub events: Vec<EventDefinition>,
}

/// The document has no place for a table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line `{0}` is missing")]
pub struct MissingMarker(String);

impl Contract {
    /// The contract as JSON, with a line break at the end.
    ///
    /// # Errors
    /// Never: all of it has a form in JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A Markdown document with its tables replaced: that of the metrics between the lines `<!-- metrics -->` and
    /// `<!-- end of metrics -->`, and that of the events between `<!-- events -->` and `<!-- end of events -->`.
    ///
    /// # Errors
    /// When one of these lines is missing.
    pub fn write_tables(&self, document: &str) -> Result<String, MissingMarker> {
        let document = replace(document, "metrics", &self.metrics_table())?;
        replace(&document, "events", &self.events_table())
    }

    fn metrics_table(&self) -> String {
        let mut table = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
        for MetricDefinition { name, kind, labels, help, .. } in &self.metrics {
            // Writing to a string does not fail, here and below.
            let _ = writeln!(table, "| `{name}` | {kind} | {} | {} |", code(labels), cell(help));
        }
        table
    }

    fn events_table(&self) -> String {
        let mut table =
            "| event | level | meaning | fields | moves |\n| --- | --- | --- | --- | --- |\n".to_owned();
        for EventDefinition { name, level, description, fields, metrics, .. } in &self.events {
            let (fields, metrics) = (code(fields), code(metrics));
            let _ = writeln!(table, "| `{name}` | {level} | {} | {fields} | {metrics} |", cell(description));
        }
        table
    }
}

fn code<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn replace(document: &str, name: &str, table: &str) -> Result<String, MissingMarker> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let missing = |marker: &str| MissingMarker(marker.trim_end().to_owned());
    let (before, rest) = document.split_once(&begin).ok_or_else(|| missing(&begin))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
    Ok(format!("{before}{begin}{table}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        let metric = MetricDefinition {
            name: "sold_total".to_owned(),
            kind: "counter",
            help: "Items sold, by product.".to_owned(),
            labels: vec!["product".to_owned()],
            group: "shop",
        };
        let event = EventDefinition {
            name: "item_sold",
            level: "INFO",
            description: "An item was sold.".to_owned(),
            fields: vec!["item", "pieces"],
            metrics: vec!["sold_total".to_owned()],
            group: "shop",
        };
        Contract { metrics: vec![metric], events: vec![event] }
    }

    #[test]
    fn tables_are_replaced_between_their_markers() {
        let document = "a\n<!-- events -->\nold\n<!-- end of events -->\nb\n<!-- metrics -->\n<!-- end of metrics -->\nc\n";
        let written = contract().write_tables(document).unwrap();
        let expected = "a\n<!-- events -->\n\
            | event | level | meaning | fields | moves |\n| --- | --- | --- | --- | --- |\n\
            | `item_sold` | INFO | An item was sold. | `item`, `pieces` | `sold_total` |\n\
            <!-- end of events -->\nb\n<!-- metrics -->\n\
            | metric | type | labels | meaning |\n| --- | --- | --- | --- |\n\
            | `sold_total` | counter | `product` | Items sold, by product. |\n\
            <!-- end of metrics -->\nc\n";
        assert_eq!(written, expected);
        assert_eq!(contract().write_tables(&written).unwrap(), expected);
    }

    #[test]
    fn a_missing_marker_is_named() {
        let missing = contract().write_tables("<!-- metrics -->\n").unwrap_err();
        assert_eq!(missing.to_string(), "the line `<!-- end of metrics -->` is missing");
    }
}
