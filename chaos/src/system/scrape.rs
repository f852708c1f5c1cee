//! The metrics of a process at one moment.

use std::collections::BTreeMap;

use anyhow::Result;
use futures_util::future::try_join_all;
use glasshouse_drill::exposition::samples;

use super::{Replica, System};

/// The metrics of a process.
#[derive(Clone, Debug)]
pub(crate) struct Scrape {
    /// The process.
    pub(crate) of: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Scrape {
    /// The metrics of all processes.
    ///
    /// # Errors
    /// A process does not respond.
    pub(crate) async fn all(system: &System) -> Result<Vec<Self>> {
        try_join_all(system.processes().map(Self::of)).await
    }

    /// The metrics of a process.
    ///
    /// # Errors
    /// The process does not respond.
    pub(crate) async fn of(process: &Replica) -> Result<Self> {
        let text = reqwest::get(process.metrics_url()).await?.error_for_status()?.text().await?;
        let samples = samples(&text)?.into_iter().map(|sample| {
            let labels = sample.labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            (sample.name.to_owned(), labels.collect(), sample.value)
        });
        Ok(Self { of: process.to_string(), samples: samples.collect() })
    }

    /// The sum of the series with this name and these labels; `None` if there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |found: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| found.get(*label).is_some_and(|found| found == value))
        };
        let ours = self.samples.iter().filter(|(found, with, _)| found == name && has(with));
        ours.map(|(_, _, value)| *value).reduce(|sum, value| sum + value)
    }
}
