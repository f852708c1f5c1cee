//! The exported metrics with their labels, collected from `/metrics` pages.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::catalogue::Process;
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
        for process in Process::ALL {
            let url = format!("http://{}/metrics", stack.addresses().management(process));
            self.add_scrape(&reqwest::get(url).await?.error_for_status()?.text().await?)?;
        }
        Ok(())
    }

    /// Adds the metrics of one scrape, in the text format of Prometheus.
    ///
    /// # Errors
    /// A line is not a sample.
    pub fn add_scrape(&mut self, text: &str) -> Result<()> {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, labels) = sample(line).with_context(|| format!("not a sample: {line}"))?;
            self.add(name, labels);
        }
        Ok(())
    }

    /// Adds a metric with these labels and those of every target.
    pub fn add<'a>(&mut self, metric: &str, labels: impl IntoIterator<Item = &'a str>) {
        let names = self.0.entry(metric.to_owned()).or_default();
        names.extend(TARGET_LABELS.into_iter().chain(labels).map(str::to_owned));
    }

    /// The labels of a metric; `None` if it is not exported.
    pub(super) fn labels(&self, metric: &str) -> Option<&BTreeSet<String>> {
        self.0.get(metric)
    }
}

impl Default for ExportedMetrics {
    fn default() -> Self {
        let mut exported = Self(BTreeMap::new());
        SCRAPE_METRICS.into_iter().for_each(|metric| exported.add(metric, []));
        for metric in ["ALERTS", "ALERTS_FOR_STATE"] {
            // `severity` and `service` are set by our rules; the other two by Prometheus.
            exported.add(metric, ["alertname", "alertstate", "severity", "service"]);
        }
        exported
    }
}

/// The metric name and label names of a line such as `name{label="value"} 1`.
fn sample(line: &str) -> Option<(&str, Vec<&str>)> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            labels.push(label.trim_start_matches(',').trim());
            rest = value.get(end_of_value(value)? + 1..)?;
        }
    }
    Some((name, labels))
}

/// The position of the quote that ends the value of a label.
fn end_of_value(value: &str) -> Option<usize> {
    let mut is_escaped = false;
    value.char_indices().find_map(|(at, character)| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends.then_some(at)
    })
}
