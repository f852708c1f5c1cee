//! The rules of Prometheus: read, changed for a drill, and written again.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use yaml_serde::Value;

use crate::project::{files, read_yaml};
use crate::speed::Speed;

/// The rule files of a folder.
#[derive(Clone, Debug)]
pub struct RuleFiles(Vec<(String, Value)>);

/// One rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    /// The name of an alert.
    pub alert: Option<String>,
    /// The name of a recorded series.
    pub record: Option<String>,
    /// What it evaluates.
    pub expr: String,
    /// Labels that it sets.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What an alert tells.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

impl RuleFiles {
    /// Reads the `.yml` files of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut read = Vec::new();
        for path in files(folder, "yml")? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            read.push((name, read_yaml(&path)?));
        }
        ensure!(!read.is_empty(), "no rule file in {}", folder.display());
        Ok(Self(read))
    }

    /// Every rule, in order.
    pub fn rules(&self) -> Result<Vec<Rule>> {
        let mut rules = Vec::new();
        for (name, file) in &self.0 {
            let file: RuleFile = yaml_serde::from_value(file.clone()).with_context(|| name.clone())?;
            rules.extend(file.groups.into_iter().flat_map(|group| group.rules));
        }
        Ok(rules)
    }

    /// The names of all alerts.
    pub fn alerts(&self) -> Result<Vec<String>> {
        Ok(self.rules()?.into_iter().filter_map(|rule| rule.alert).collect())
    }

    /// Divides every duration.
    pub fn divide(&mut self, speed: Speed) -> Result<()> {
        self.0.iter_mut().try_for_each(|(name, file)| speed.divide_file(file).with_context(|| name.clone()))
    }

    /// Writes the files into a folder: as JSON, which is YAML that no version of YAML reads differently.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, file) in &self.0 {
            std::fs::write(folder.join(name), serde_json::to_string_pretty(file)?)?;
        }
        Ok(())
    }
}
