use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::catalogue::Process;
use crate::stack::Stack;

/// The metrics that are exported, each with the names of its labels.
#[derive(Clone, Debug)]
pub struct Exported(BTreeMap<String, BTreeSet<String>>);

/// The labels that Prometheus itself puts on every series that it scrapes.
const OF_TARGETS: [&str; 2] = ["instance", "job"];

/// The series that Prometheus itself makes, without labels of their own.
const OF_PROMETHEUS: [&str; 5] = [
    "scrape_duration_seconds",
    "scrape_samples_post_metric_relabeling",
    "scrape_samples_scraped",
    "scrape_series_added",
    "up",
];

impl Exported {
    /// Adds what the service exports now. A series that has not counted yet, or no more since a restart, is
    /// not there: add to the same again and again.
    pub async fn add_stack(&mut self, stack: &Stack) -> Result<()> {
        for process in Process::ALL {
            let url = format!("http://{}/metrics", stack.addresses().management(process));
            self.add_scrape(&reqwest::get(url).await?.error_for_status()?.text().await?)?;
        }
        Ok(())
    }

    /// Adds the answer of a `/metrics`.
    pub fn add_scrape(&mut self, text: &str) -> Result<()> {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, labels) = sample(line).with_context(|| format!("not a sample: {line}"))?;
            self.add(name, labels);
        }
        Ok(())
    }

    /// Adds a metric with these labels, and those of every target.
    pub fn add<'a>(&mut self, metric: &str, labels: impl IntoIterator<Item = &'a str>) {
        let known = self.0.entry(metric.to_owned()).or_default();
        known.extend(OF_TARGETS.into_iter().chain(labels).map(str::to_owned));
    }

    /// The labels of a metric, if it is exported.
    pub(super) fn labels(&self, metric: &str) -> Option<&BTreeSet<String>> {
        self.0.get(metric)
    }
}

impl Default for Exported {
    fn default() -> Self {
        let mut exported = Self(BTreeMap::new());
        OF_PROMETHEUS.into_iter().for_each(|metric| exported.add(metric, []));
        for metric in ["ALERTS", "ALERTS_FOR_STATE"] {
            // Labels that rules set are not known here; these two are there always.
            exported.add(metric, ["alertname", "alertstate", "severity", "service"]);
        }
        exported
    }
}

/// Name and label names of a line such as `name{label="value"} 1`.
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

/// Where the quote is that ends a label's value.
fn end_of_value(value: &str) -> Option<usize> {
    let mut is_escaped = false;
    value.char_indices().find_map(|(at, character)| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends.then_some(at)
    })
}
