//! The file format: the part of Sloth's `prometheus/v1` that is used here.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;

/// The placeholder of a window in a query.
pub(super) const WINDOW: &str = "{{.window}}";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecFile {
    version: String,
    #[expect(dead_code, reason = "Sloth requires it")]
    service: String,
    pub(super) slos: Vec<SloSpec>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SloSpec {
    pub(super) name: String,
    /// In percent.
    pub(super) objective: f64,
    pub(super) description: String,
    pub(super) labels: SeriesNames,
    pub(super) sli: Sli,
    pub(super) alerting: AlertSpec,
}

/// The names of the recorded series.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesNames {
    /// The requests that spend the budget.
    pub(super) bad: String,
    /// The requests that count.
    pub(super) total: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sli {
    pub(super) events: Events,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Events {
    pub(super) error_query: String,
    pub(super) total_query: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertSpec {
    /// The name of the alerts, before that of their tier.
    pub(super) name: String,
    pub(super) annotations: Wording,
    pub(super) page_alert: Labels,
    pub(super) ticket_alert: Labels,
}

/// What the texts of the alerts say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wording {
    /// The name of the budget, such as `error`.
    pub(super) budget: String,
    /// What a request that spends the budget did, such as `ended in a 5xx`.
    pub(super) failure: String,
    /// The alert on the same symptom at its worst, such as `HighErrorRate`: whoever got it gets no other page for it.
    pub(super) symptom: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labels {
    pub(super) labels: BTreeMap<String, String>,
}

impl SpecFile {
    /// # Errors
    /// The version, an objective or a query cannot be used.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.version == "prometheus/v1",
            "the version must be prometheus/v1, and is {}",
            self.version
        );
        for slo in &self.slos {
            let SloSpec { name, objective, sli: Sli { events }, .. } = slo;
            ensure!(
                0.0 < *objective && *objective < 100.0,
                "{name}: the objective must be between 0 and 100"
            );
            for query in [&events.error_query, &events.total_query] {
                let ranges = query.matches('[').count();
                let windows = query.matches(&format!("[{WINDOW}]")).count();
                ensure!(ranges == windows, "{name}: a query has a fixed window instead of {WINDOW}");
            }
        }
        Ok(())
    }
}
