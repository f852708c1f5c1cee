//! A scrape of `/metrics`.

use std::collections::{BTreeMap, BTreeSet};

use super::Client;

/// A parsed scrape: the type of each metric, and the value of each series.
pub(crate) struct Scrape {
    pub(crate) types: BTreeMap<String, String>,
    series: BTreeMap<String, f64>,
}

impl Scrape {
    pub(crate) async fn of(management: &Client) -> Self {
        let text = management.get("/metrics").await.expect(200);
        Self::parse(text.as_str().unwrap())
    }

    pub(crate) fn parse(text: &str) -> Self {
        let (mut types, mut series) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(line) = line.strip_prefix("# TYPE ") {
                let (name, kind) = line.split_once(' ').unwrap();
                types.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                series.insert(name.to_owned(), value.parse().unwrap());
            }
        }
        Self { types, series }
    }

    /// Whether a metric has a series whose labels satisfy the predicate.
    pub(crate) fn has(&self, metric: &str, predicate: impl Fn(&[(&str, &str)]) -> bool) -> bool {
        self.series.keys().any(|series| {
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let labels = labels.filter_map(|label| label.trim_end_matches('"').split_once("=\""));
            name == metric && predicate(&labels.collect::<Vec<_>>())
        })
    }

    /// The sum of the series of a metric whose labels contain this text.
    pub(crate) fn sum(&self, metric: &str, labels: &str) -> f64 {
        let all = self.series.iter();
        let ours = all.filter(|(name, _)| name.split('{').next() == Some(metric) && name.contains(labels));
        ours.map(|(_, value)| value).sum()
    }

    /// The number of series of a metric.
    pub(crate) fn series_of(&self, metric: &str) -> usize {
        self.series.keys().filter(|name| name.split('{').next() == Some(metric)).count()
    }

    /// The label names of a metric, without the `le` of histograms.
    pub(crate) fn labels(&self, metric: &str) -> BTreeSet<&str> {
        let of_metric =
            |name: &&String| name.split('{').next().unwrap().trim_end_matches("_bucket") == metric;
        let labels = self.series.keys().filter(of_metric).filter_map(|name| name.split_once('{'));
        let labels =
            labels.flat_map(|(_, labels)| labels.split("\",").filter_map(|label| label.split('=').next()));
        labels.filter(|label| *label != "le").collect()
    }

    /// The values of a label of a metric.
    pub(crate) fn values(&self, metric: &str, label: &str) -> BTreeSet<&str> {
        let ours = self.series.keys().filter(|name| name.split('{').next() == Some(metric));
        let start = format!("{label}=\"");
        ours.filter_map(|name| name.split(&start).nth(1)?.split('"').next()).collect()
    }
}
