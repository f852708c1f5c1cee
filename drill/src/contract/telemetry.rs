//! The telemetry contract that the service prints (`glasshouse telemetry-contract`), as it is committed.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::ExportedMetrics;

/// Every metric and every event of the service: of its format, what drills and dashboards use.
#[derive(Clone, Debug, Deserialize)]
pub struct TelemetryContract {
    metrics: Vec<Metric>,
    events: Vec<Event>,
}

#[derive(Clone, Debug, Deserialize)]
struct Metric {
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    labels: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Debug, Deserialize)]
struct Event {
    name: String,
}

impl TelemetryContract {
    /// Reads the committed contract.
    ///
    /// # Errors
    /// When the file is missing or is not a contract.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        serde_json::from_str(&text).with_context(|| file.display().to_string())
    }

    /// Whether the service logs an event of this name.
    #[must_use]
    pub fn has_event(&self, name: &str) -> bool {
        self.events.iter().any(|event| event.name == name)
    }
}

impl ExportedMetrics {
    /// Adds the metrics of the contract.
    pub fn add_contract(&mut self, contract: &TelemetryContract) {
        for Metric { name, kind, labels } in &contract.metrics {
            let labels = || labels.iter().map(String::as_str);
            if *kind == Kind::Histogram {
                self.add(&format!("{name}_count"), labels());
                self.add(&format!("{name}_sum"), labels());
                self.add(&format!("{name}_bucket"), labels().chain(["le"]));
            } else {
                self.add(name, labels());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_exports_its_buckets_sum_and_count() {
        let contract: TelemetryContract = serde_json::from_value(serde_json::json!({
            "metrics": [
                { "name": "wait_seconds", "type": "histogram", "labels": ["queue"] },
                { "name": "sold_total", "type": "counter", "labels": [] },
            ],
            "events": [{ "name": "item_sold" }],
        }))
        .unwrap();
        let mut exported = ExportedMetrics::default();
        exported.add_contract(&contract);
        assert!(exported.labels("wait_seconds").is_none());
        for (metric, label) in
            [("wait_seconds_bucket", "le"), ("wait_seconds_sum", "queue"), ("sold_total", "job")]
        {
            assert!(exported.labels(metric).is_some_and(|labels| labels.contains(label)), "{metric}");
        }
        assert!(contract.has_event("item_sold") && !contract.has_event("item_lost"));
    }
}
