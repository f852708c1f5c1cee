//! The exported metrics with their labels, collected from `/metrics` pages.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::exposition::{Sample, samples};
use crate::stack::Stack;

/// The names of exported metrics, each with the names of its labels.
#[derive(Clone, Debug)]
pub struct ExportedMetrics(BTreeMap<String, BTreeSet<String>>);

/// The labels that Prometheus adds to every scraped series.
const TARGET_LABELS: [&str; 2] = ["instance", "job"];

/// The series that Prometheus records for every scrape.
const SCRAPE_METRICS: [&str; 5] = [
    "scrape_duration_seconds",
    "scrape_samples_post_metric_relabeling",
    "scrape_samples_scraped",
    "scrape_series_added",
    "up",
];

impl ExportedMetrics {
    /// Adds the metrics that all processes of the service export at the moment. A series appears with its first value
    /// and disappears with a restart, so a complete set takes several scrapes.
    pub async fn add_stack(&mut self, stack: &Stack) -> Result<()> {
        for process in stack.options().project.processes() {
            let url = stack.values().expand(&format!("http://{{{}}}/metrics", process.metrics()))?;
            self.add_scrape(&reqwest::get(url).await?.error_for_status()?.text().await?)?;
        }
        Ok(())
    }

    /// Adds the metrics of one scrape, in the text format of Prometheus.
    ///
    /// # Errors
    /// A line is not a sample.
    pub fn add_scrape(&mut self, text: &str) -> Result<()> {
        for Sample { name, labels, .. } in samples(text)? {
            self.add(name, labels.into_iter().map(|(label, _)| label));
        }
        Ok(())
    }

    /// Adds a metric with these labels and those of every target.
    pub fn add<'a>(&mut self, metric: &str, labels: impl IntoIterator<Item = &'a str>) {
        let names = self.0.entry(metric.to_owned()).or_default();
        names.extend(TARGET_LABELS.into_iter().chain(labels).map(str::to_owned));
    }

    /// Adds the metrics of another collection.
    pub fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|(metric, labels)| self.0.entry(metric).or_default().extend(labels));
    }

    /// The labels of a metric; `None` if it is not exported.
    pub fn labels(&self, metric: &str) -> Option<&BTreeSet<String>> {
        self.0.get(metric)
    }

    /// All metrics with their labels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.0.iter().map(|(metric, labels)| (metric.as_str(), labels))
    }
}

impl Default for ExportedMetrics {
    fn default() -> Self {
        let mut exported = Self(BTreeMap::new());
        SCRAPE_METRICS.into_iter().for_each(|metric| exported.add(metric, []));
        for metric in ["ALERTS", "ALERTS_FOR_STATE"] {
            // `severity`, `service` and `host` are set by our rules; the other two by Prometheus.
            exported.add(metric, ["alertname", "alertstate", "severity", "service", "host"]);
        }
        exported
    }
}
