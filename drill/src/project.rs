//! The paths of the repository, and helpers to read its files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use yaml_serde::Value;

/// The root folder of the repository.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The repository in this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The short hash of the last commit; `None` if the folder is no repository.
    pub fn commit(&self) -> Option<String> {
        let git = Command::new("git").current_dir(&self.root).args(["rev-parse", "--short", "HEAD"]).output();
        let output = git.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// `docker-compose.yml`, the whole stack.
    pub fn compose_file(&self) -> PathBuf {
        self.root.join("docker-compose.yml")
    }

    /// The catalogue of alerts and tests.
    pub fn catalogue(&self) -> PathBuf {
        self.root.join("load-tests/catalogue.toml")
    }

    /// The folder of the k6 scenarios.
    pub fn scenarios(&self) -> PathBuf {
        self.root.join("load-tests/scenarios")
    }

    /// The script of a scenario.
    pub fn scenario(&self, name: &str) -> PathBuf {
        self.scenarios().join(format!("{name}.js"))
    }

    /// The service level objectives.
    pub fn slos(&self) -> PathBuf {
        self.root.join("deploy/slo/glasshouse.yml")
    }

    /// The rules that are generated from the objectives.
    pub fn slo_rules(&self) -> PathBuf {
        self.rules().join("slo.yml")
    }

    /// The folder of Prometheus' rule files.
    pub fn rules(&self) -> PathBuf {
        self.root.join("deploy/prometheus/rules")
    }

    /// The folder of the rules' promtool tests.
    pub fn rule_tests(&self) -> PathBuf {
        self.root.join("deploy/prometheus/tests")
    }

    /// The configuration of Prometheus.
    pub fn prometheus_config(&self) -> PathBuf {
        self.root.join("deploy/prometheus/prometheus.yml")
    }

    /// The configuration of the blackbox exporter.
    pub fn blackbox_config(&self) -> PathBuf {
        self.root.join("deploy/blackbox/blackbox.yml")
    }

    /// The configuration of Alertmanager.
    pub fn alertmanager_config(&self) -> PathBuf {
        self.root.join("deploy/alertmanager/alertmanager.yml")
    }

    /// The folder of the committed dashboards.
    pub fn dashboards(&self) -> PathBuf {
        self.root.join("grafana/dashboards")
    }

    /// The folder of Grafana's provisioned data sources.
    pub fn data_sources(&self) -> PathBuf {
        self.root.join("grafana/provisioning/datasources")
    }

    /// The committed telemetry contract of the service.
    pub fn telemetry_contract(&self) -> PathBuf {
        self.root.join("docs/telemetry-contract.json")
    }

    /// The folder of the runbooks.
    pub fn runbooks(&self) -> PathBuf {
        self.root.join("docs/runbooks")
    }

    /// The runbook of an alert.
    pub fn runbook(&self, alert: &str) -> PathBuf {
        self.runbooks().join(format!("{}.md", kebab_case(alert)))
    }
}

/// The files of a folder with this extension (without the dot), sorted by name.
pub fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}

/// Reads and deserializes a YAML file.
///
/// # Errors
/// The file cannot be read or deserialized. The error names the file.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    yaml_serde::from_str(&text).with_context(|| path.display().to_string())
}

/// Applies YAML merge keys (`<<`), including those inside a merged value.
pub fn merge(value: &mut Value) -> Result<()> {
    loop {
        let before = value.clone();
        value.apply_merge()?;
        if *value == before {
            return Ok(());
        }
    }
}

/// Converts `HighErrorRate` to `high-error-rate`.
pub fn kebab_case(name: &str) -> String {
    let mut kebab = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(character.to_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_runbook_is_the_name_of_its_alert_in_kebab_case() {
        let runbook = Project::new("/p").runbook("ErrorBudgetBurnFast");
        assert_eq!(runbook, Path::new("/p/docs/runbooks/error-budget-burn-fast.md"));
    }

    #[test]
    fn a_merged_value_may_have_a_merge_key() {
        let text = "{ a: &a { x: 1, y: 1 }, b: &b { <<: *a, y: 2 }, c: { <<: [*b], z: 3 } }";
        let mut value: Value = yaml_serde::from_str(text).unwrap();
        merge(&mut value).unwrap();
        let expected: Value = yaml_serde::from_str("{ x: 1, y: 2, z: 3 }").unwrap();
        assert_eq!(value["c"], expected);
    }
}
