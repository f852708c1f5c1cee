//! A project: where its files are, and what its stack consists of. Both are read from `drill.toml`.

mod config;
mod validation;

use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use yaml_serde::Value;

use crate::catalogue::Catalogue;
pub use config::{Attached, Compose, Config, FrontDoor, Native, Postgres, Process, SECRET, Shown, Variables};

/// The file that describes a project, in its root folder.
pub const CONFIG_FILE: &str = "drill.toml";

/// A project, as its `drill.toml` describes it.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    config: Arc<Config>,
    catalogue: Arc<Catalogue>,
}

impl Project {
    /// Reads the project in this folder.
    ///
    /// # Errors
    /// The folder has no `drill.toml`, or it or the catalogue is not valid.
    pub fn read(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let file = root.join(CONFIG_FILE);
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!("{}: this file describes the project; --project names its folder", file.display())
        })?;
        let config = Config::parse(&text).with_context(|| file.display().to_string())?;
        let catalogue = match (&config.paths.catalogue, config.catalogue()) {
            (Some(path), None) => Catalogue::read(&root.join(path))?,
            (None, Some(catalogue)) => catalogue,
            (None, None) => Catalogue::default(),
            (Some(path), Some(_)) => {
                anyhow::bail!("{}: it has alerts or tests, and names {} too", file.display(), path.display())
            }
        };
        Ok(Self { root, config: Arc::new(config), catalogue: Arc::new(catalogue) })
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What `drill.toml` says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The catalogue of alerts and tests.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The processes of the service.
    pub fn processes(&self) -> &[Process] {
        &self.config.processes
    }

    /// The process with this name; the first one without a name.
    ///
    /// # Errors
    /// There is no such process.
    pub fn process(&self, name: Option<&str>) -> Result<&Process> {
        let mut processes = self.processes().iter();
        let found = match name {
            Some(name) => processes.find(|process| process.name == name),
            None => processes.next(),
        };
        found.with_context(|| format!("{CONFIG_FILE} has no process {}", name.unwrap_or_default()))
    }

    /// The short hash of the last commit; `None` if the folder is no repository.
    pub fn commit(&self) -> Option<String> {
        let git = Command::new("git").current_dir(&self.root).args(["rev-parse", "--short", "HEAD"]).output();
        let output = git.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The Compose file of the whole stack.
    ///
    /// # Errors
    /// The project has no stack of containers.
    pub fn compose(&self) -> Result<&Compose> {
        self.config.compose.as_ref().with_context(|| format!("{CONFIG_FILE} has no [compose]"))
    }

    /// A path of a file that has one.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// The folder of the scenarios.
    pub fn scenarios(&self) -> PathBuf {
        self.path(&self.config.paths.scenarios)
    }

    /// The script of a scenario: `NAME.js` for k6, or an executable file with that name and any extension.
    ///
    /// # Errors
    /// There is no such script, or more than one.
    pub fn scenario(&self, name: &str) -> Result<PathBuf> {
        let mut found = scripts(&self.scenarios())?;
        found.retain(|script| script.file_stem().is_some_and(|stem| stem == name));
        let place = self.scenarios();
        let script = found.pop().with_context(|| {
            format!("no script {name}.js, nor an executable {name}.*, in {}", place.display())
        })?;
        ensure!(found.is_empty(), "two scripts of the scenario {name} in {}", place.display());
        Ok(script)
    }

    /// The folder of Prometheus' rule files.
    pub fn rules(&self) -> PathBuf {
        self.path(&self.config.paths.rules)
    }

    /// The configuration of Prometheus.
    pub fn prometheus_config(&self) -> PathBuf {
        self.path(&self.config.paths.prometheus)
    }

    /// The configuration of Alertmanager.
    pub fn alertmanager_config(&self) -> PathBuf {
        self.path(&self.config.paths.alertmanager)
    }

    /// The page from which the links of a report lead.
    pub fn report(&self) -> PathBuf {
        self.path(&self.config.paths.report)
    }

    /// The folder of the rules' promtool tests.
    ///
    /// # Errors
    /// It is not set, as with all the following.
    pub fn rule_tests(&self) -> Result<PathBuf> {
        self.optional("rule_tests", self.config.paths.rule_tests.as_deref())
    }

    /// The configuration of the blackbox exporter.
    pub fn blackbox_config(&self) -> Result<PathBuf> {
        self.optional("blackbox", self.config.paths.blackbox.as_deref())
    }

    /// The service level objectives.
    pub fn slos(&self) -> Result<PathBuf> {
        self.optional("slos", self.config.paths.slos.as_deref())
    }

    /// The rules that are generated from the objectives.
    pub fn slo_rules(&self) -> Result<PathBuf> {
        self.optional("slo_rules", self.config.paths.slo_rules.as_deref())
    }

    /// The folder of the dashboards.
    pub fn dashboards(&self) -> Result<PathBuf> {
        self.optional("dashboards", self.config.paths.dashboards.as_deref())
    }

    /// The folder of Grafana's provisioned data sources.
    pub fn data_sources(&self) -> Result<PathBuf> {
        self.optional("data_sources", self.config.paths.data_sources.as_deref())
    }

    /// The telemetry contract of the service.
    pub fn telemetry_contract(&self) -> Result<PathBuf> {
        self.optional("telemetry_contract", self.config.paths.telemetry_contract.as_deref())
    }

    /// The folder of the runbooks.
    pub fn runbooks(&self) -> Result<PathBuf> {
        self.optional("runbooks", self.config.paths.runbooks.as_deref())
    }

    /// The runbook of an alert.
    pub fn runbook(&self, alert: &str) -> Result<PathBuf> {
        Ok(self.runbooks()?.join(format!("{}.md", kebab_case(alert))))
    }

    fn optional(&self, key: &str, path: Option<&Path>) -> Result<PathBuf> {
        let path = path.with_context(|| format!("{CONFIG_FILE} has no paths.{key}"))?;
        Ok(self.path(path))
    }
}

/// The scripts of a folder: those of k6, and executable files.
///
/// # Errors
/// The folder cannot be read.
pub fn scripts(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut scripts = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let metadata = path.metadata().with_context(|| path.display().to_string())?;
        let is_script = path.extension().is_some_and(|extension| extension == "js");
        if metadata.is_file() && (is_script || metadata.permissions().mode() & 0o111 != 0) {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}

/// The link from a page to a file or folder. Both paths begin at the same place.
pub fn link(page: &Path, target: &Path) -> String {
    let folder = page.parent().unwrap_or(Path::new(""));
    let (from, to): (Vec<Component<'_>>, Vec<_>) =
        (folder.components().collect(), target.components().collect());
    let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let up = from.iter().skip(common).map(|_| "..".into());
    let down = to.iter().skip(common).map(|part| part.as_os_str().to_string_lossy());
    up.chain(down).collect::<Vec<_>>().join("/")
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let runbook = Project::read(root).unwrap().runbook("ErrorBudgetBurnFast").unwrap();
        assert_eq!(runbook, root.join("docs/runbooks/error-budget-burn-fast.md"));
    }

    #[test]
    fn a_link_leads_from_the_folder_of_its_page() {
        let from = |page: &str, target: &str| link(Path::new(page), Path::new(target));
        assert_eq!(from("docs/drills.md", "docs/runbooks"), "runbooks");
        assert_eq!(from("docs/drills.md", "load-tests/scenarios/a.js"), "../load-tests/scenarios/a.js");
        assert_eq!(from("drills.md", "rules"), "rules");
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
