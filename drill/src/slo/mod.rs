//! The service level objectives of `deploy/slo`: reads them, and generates their recording rules and burn-rate alerts
//! (`deploy/prometheus/rules/slo.yml`).
//!
//! The rules and the dashboard of the objectives are made of this one source, so that they cannot disagree.

mod rules;
mod spec;
mod tier;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::project::read_yaml;
use spec::{AlertSpec, SloSpec, SpecFile};
pub use tier::{TIERS, Tier};

/// The objectives of a service.
#[derive(Clone, Debug)]
pub struct Slos(Vec<Slo>);

/// One objective over 30 days.
#[derive(Clone, Debug)]
pub struct Slo(SloSpec);

impl Slos {
    /// Reads a specification in Sloth's format.
    ///
    /// # Errors
    /// The file cannot be read, is not a specification, or two objectives count one total differently.
    pub fn read(path: &Path) -> Result<Self> {
        let file: SpecFile = read_yaml(path)?;
        file.check()?;
        let slos = Self(file.slos.into_iter().map(Slo).collect());
        for slo in &slos.0 {
            let same = slos.0.iter().find(|other| other.total() == slo.total());
            let is_same =
                same.is_none_or(|other| other.0.sli.events.total_query == slo.0.sli.events.total_query);
            ensure!(is_same, "{}: another objective counts {} differently", slo.name(), slo.total());
        }
        Ok(slos)
    }

    /// The objectives, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Slo> {
        self.0.iter()
    }

    /// The rule file of Prometheus.
    #[must_use]
    pub fn to_rules(&self) -> String {
        rules::file(self)
    }
}

impl Slo {
    /// The name, such as `availability`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the objective says, as a sentence.
    pub fn description(&self) -> &str {
        &self.0.description
    }

    /// The objective as a ratio, such as 0.999.
    pub fn objective(&self) -> f64 {
        self.0.objective / 100.0
    }

    /// The ratio of requests that may fail, such as 0.001.
    pub fn budget(&self) -> f64 {
        // Rounded, because 100 - 99.9 is not 0.1 in binary.
        ((100.0 - self.0.objective) * 1e7).round() / 1e9
    }

    /// The recorded ratio of requests that spend the budget, over a window of [`WINDOWS`](Self::WINDOWS).
    pub fn ratio(&self, window: &str) -> String {
        format!("job:{}:ratio_rate{window}", self.0.labels.bad)
    }

    /// The recorded rate of requests that spend the budget, over a window. It is not recorded for [`LONGEST`](Self::LONGEST).
    pub fn bad_rate(&self, window: &str) -> String {
        format!("job:{}:rate{window}", self.0.labels.bad)
    }

    /// The recorded rate of all requests that count, over a window. It is not recorded for [`LONGEST`](Self::LONGEST).
    pub fn total_rate(&self, window: &str) -> String {
        format!("job:{}:rate{window}", self.total())
    }

    /// The recorded ratio of the budget that was not spent in the last 30 days: 1 is a full budget, and below 0 the objective
    /// is missed.
    pub fn budget_left(&self) -> String {
        format!("job:{}:budget_left30d", self.0.labels.bad)
    }

    /// The name of the alert of a tier, such as `ErrorBudgetBurnFast`.
    pub fn alert(&self, tier: &Tier) -> String {
        format!("{}{}", self.0.alerting.name, tier.name)
    }

    /// The windows over which ratios are recorded.
    pub const WINDOWS: [&'static str; 5] = ["5m", "30m", "1h", "6h", Self::LONGEST];

    /// The window that is computed of recorded rates.
    pub const LONGEST: &'static str = "3d";

    fn total(&self) -> &str {
        &self.0.labels.total
    }

    fn alerting(&self) -> &AlertSpec {
        &self.0.alerting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    fn project() -> Project {
        Project::read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap()
    }

    #[test]
    fn the_committed_rules_are_current() {
        let committed = std::fs::read_to_string(project().rules().join("slo.yml")).unwrap();
        let generated = Slos::read(&project().slos().unwrap()).unwrap().to_rules();
        assert!(committed == generated, "deploy/prometheus/rules/slo.yml is outdated: run `make slo`");
    }

    #[test]
    fn names_and_budgets_follow_from_the_specification() {
        let slos = Slos::read(&project().slos().unwrap()).unwrap();
        let budgets: Vec<_> = slos.iter().map(|slo| (slo.name(), slo.budget())).collect();
        assert_eq!(budgets, [("availability", 0.001), ("latency", 0.01)]);
        let slo = slos.iter().next().unwrap();
        assert_eq!(slo.ratio("3d"), "job:http_requests_failed:ratio_rate3d");
        assert_eq!(slo.alert(&TIERS[0]), "ErrorBudgetBurnFast");
    }

    #[test]
    fn a_wrong_specification_is_an_error() {
        let text = std::fs::read_to_string(project().slos().unwrap()).unwrap();
        let error_with = |from: &str, to: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            assert!(text.contains(from), "{from}");
            std::fs::write(file.path(), text.replacen(from, to, 1)).unwrap();
            format!("{:#}", Slos::read(file.path()).unwrap_err())
        };
        assert!(error_with("version: prometheus/v1", "version: prometheus/v2").contains("version"));
        assert!(error_with("objective: 99.9", "objective: 100").contains("availability: the objective"));
        assert!(error_with("[{{.window}}]", "[5m]").contains("availability: a query has a fixed window"));
        assert!(error_with(r#"status!="429""#, r#"status!="428""#).contains("differently"));
        assert!(error_with("objective: 99.9", "objectives: 99.9").contains("objective"));
    }
}
