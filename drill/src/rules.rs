//! The alerting and recording rules of Prometheus: reads them, divides their durations, and writes them again.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use yaml_serde::Value;

use crate::project::{files, read_yaml};
use crate::query::LocatedQuery;
use crate::speed::Speed;

/// The rule files of a folder: file names and their content.
#[derive(Clone, Debug)]
pub struct RuleFiles(Vec<(String, Value)>);

/// An alerting or recording rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    /// The name of the alert; `None` for a recording rule.
    pub alert: Option<String>,
    /// The name of the recorded series; `None` for an alerting rule.
    pub record: Option<String>,
    /// The expression, in PromQL.
    pub expr: String,
    /// The labels that the rule adds.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The annotations of an alert: summary, URLs of its runbook and its dashboard.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Where an alert is defined, and how severe it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRule {
    /// The label `severity`; empty without one.
    pub severity: String,
    /// The name of its file in the folder of the rules.
    pub file: String,
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<RuleGroup>,
}

#[derive(Deserialize)]
struct RuleGroup {
    rules: Vec<Rule>,
}

impl Rule {
    /// The expression with the name of the rule as its place.
    pub fn query(&self) -> LocatedQuery {
        let name = self.alert.as_ref().or(self.record.as_ref()).cloned().unwrap_or_default();
        LocatedQuery { place: name, expression: self.expr.clone() }
    }
}

/// A dashboard that an alert links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DashboardLink<'a> {
    /// The uid of the dashboard.
    pub uid: &'a str,
    /// The names of its variables that the link sets.
    pub variables: Vec<&'a str>,
}

impl Rule {
    /// The dashboard of an alert; `None` if the annotation `dashboard_url` is none of a dashboard.
    pub fn dashboard(&self) -> Option<DashboardLink<'_>> {
        let (_, path) = self.annotations.get("dashboard_url")?.split_once("/d/")?;
        let (uid, query) = path.split_once('?').unwrap_or((path, ""));
        let names =
            query.split('&').filter_map(|parameter| parameter.strip_prefix("var-")?.split('=').next());
        Some(DashboardLink { uid, variables: names.collect() })
    }
}

impl RuleFiles {
    /// Reads the `.yml` files of a folder.
    ///
    /// # Errors
    /// A file cannot be read, or the folder has none.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut read = Vec::new();
        for path in files(folder, "yml")? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            read.push((name, read_yaml(&path)?));
        }
        ensure!(!read.is_empty(), "no rule file in {}", folder.display());
        Ok(Self(read))
    }

    /// All rules, in the order of the files.
    ///
    /// # Errors
    /// A file does not have the shape of rules.
    pub fn rules(&self) -> Result<Vec<Rule>> {
        Ok(self.located_rules()?.into_iter().map(|(_, rule)| rule).collect())
    }

    /// Where each alert is defined, by its name.
    ///
    /// # Errors
    /// A file does not have the shape of rules.
    pub fn alert_rules(&self) -> Result<BTreeMap<String, AlertRule>> {
        let rules = self.located_rules()?.into_iter().filter_map(|(file, mut rule)| {
            let severity = rule.labels.remove("severity").unwrap_or_default();
            Some((rule.alert?, AlertRule { severity, file: file.to_owned() }))
        });
        Ok(rules.collect())
    }

    /// All rules with the names of their files.
    fn located_rules(&self) -> Result<Vec<(&str, Rule)>> {
        let mut rules = Vec::new();
        for (name, file) in &self.0 {
            let file: RuleFile = yaml_serde::from_value(file.clone()).with_context(|| name.clone())?;
            rules.extend(
                file.groups.into_iter().flat_map(|group| group.rules).map(|rule| (name.as_str(), rule)),
            );
        }
        Ok(rules)
    }

    /// The groups of all files as JSON, with the rules for which `is_wanted` is true.
    ///
    /// # Errors
    /// A file has something that is not JSON, such as a key that is not text.
    pub fn groups(&self, is_wanted: impl Fn(&serde_json::Value) -> bool) -> Result<Vec<serde_json::Value>> {
        let mut groups = Vec::new();
        for (name, file) in &self.0 {
            let mut file = serde_json::to_value(file).with_context(|| name.clone())?;
            for group in file["groups"].as_array_mut().into_iter().flatten() {
                if let Some(rules) = group["rules"].as_array_mut() {
                    rules.retain(&is_wanted);
                }
                groups.push(group.take());
            }
        }
        groups.retain(|group| group["rules"].as_array().is_some_and(|rules| !rules.is_empty()));
        Ok(groups)
    }

    /// The names of all alerts.
    pub fn alerts(&self) -> Result<Vec<String>> {
        Ok(self.rules()?.into_iter().filter_map(|rule| rule.alert).collect())
    }

    /// Divides every duration by the speed.
    pub fn divide(&mut self, speed: Speed) -> Result<()> {
        self.0.iter_mut().try_for_each(|(name, file)| speed.divide_file(file).with_context(|| name.clone()))
    }

    /// Writes the files into a folder, as JSON, which every YAML parser reads alike.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, file) in &self.0 {
            std::fs::write(folder.join(name), serde_json::to_string_pretty(file)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_of_an_alert_and_its_variables_are_those_of_its_link() {
        let link = |url: &str| {
            let text = format!("{{ alert: A, expr: up, annotations: {{ dashboard_url: '{url}' }} }}");
            let rule: Rule = yaml_serde::from_str(&text).unwrap();
            rule.dashboard().map(|link| (link.uid.to_owned(), link.variables.join(",")))
        };
        let found = |uid: &str, variables: &str| Some((uid.to_owned(), variables.to_owned()));
        assert_eq!(link("http://g/d/slo"), found("slo", ""));
        let url =
            "{{ $externalLabels.grafana_url }}/d/slo?var-job={{ $labels.job }}&var-a=b&from=now-1h&to=now";
        assert_eq!(link(url), found("slo", "job,a"));
        assert_eq!(link("http://g/explore"), None);
    }
}
