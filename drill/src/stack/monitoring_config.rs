//! The configuration of Prometheus and Alertmanager on both platforms: that of the project, with divided durations.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use promql_parser::util::display_duration;
use yaml_serde::Value;

use crate::catalogue::Process;
use crate::project::{Project, read_yaml};
use crate::rules::RuleFiles;
use crate::speed::Speed;

/// Prometheus' default for how long a series without new samples is returned by queries.
const LOOKBACK_DELTA: Duration = Duration::from_secs(300);
/// Prometheus' default for the interval at which a firing alert is sent again.
const RESEND_DELAY: Duration = Duration::from_secs(60);

/// Writes the divided rules into a folder.
pub(super) fn write_rules(project: &Project, speed: Speed, folder: &Path) -> Result<()> {
    let mut rules = RuleFiles::read(&project.rules())?;
    rules.divide(speed)?;
    rules.write(folder)
}

/// The configuration of Prometheus, with the jobs of our processes, and those others that `is_kept` selects by their name.
pub(super) fn prometheus(project: &Project, speed: Speed, is_kept: impl Fn(&str) -> bool) -> Result<Value> {
    let path = project.prometheus_config();
    let mut config = divided(&path, speed)?;
    retain_jobs(&mut config, is_kept).with_context(|| path.display().to_string())?;
    Ok(config)
}

/// The durations that Prometheus accepts only as flags.
pub(super) fn prometheus_flags(speed: Speed) -> [String; 2] {
    let divided = |duration| display_duration(&speed.divide(duration));
    [
        format!("--query.lookback-delta={}", divided(LOOKBACK_DELTA)),
        format!("--rules.alert.resend-delay={}", divided(RESEND_DELAY)),
    ]
}

/// The configuration of Alertmanager.
pub(super) fn alertmanager(project: &Project, speed: Speed) -> Result<Value> {
    divided(&project.alertmanager_config(), speed)
}

/// Writes a configuration as JSON, which is valid YAML.
pub(super) fn write(config: &Value, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(config)?;
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

/// The process that a job scrapes; `None` if it is not one of ours.
pub(super) fn process_of(job: &Value) -> Option<Process> {
    let name = job.get("job_name")?.as_str()?;
    Process::ALL.into_iter().find(|process| process.service() == name)
}

fn divided(path: &Path, speed: Speed) -> Result<Value> {
    let mut config: Value = read_yaml(path)?;
    speed.divide_file(&mut config).with_context(|| path.display().to_string())?;
    Ok(config)
}

fn retain_jobs(config: &mut Value, is_kept: impl Fn(&str) -> bool) -> Result<()> {
    let jobs = config.get_mut("scrape_configs").and_then(Value::as_sequence_mut);
    let jobs = jobs.context("no scrape_configs")?;
    let name_of = |job: &Value| job.get("job_name").and_then(Value::as_str).map(str::to_owned);
    jobs.retain(|job| process_of(job).is_some() || name_of(job).is_some_and(|name| is_kept(&name)));
    for process in Process::ALL {
        let has_job = jobs.iter().any(|job| process_of(job) == Some(process));
        ensure!(has_job, "no job {}", process.service());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_jobs_are_removed() {
        let text = "scrape_configs: [{ job_name: postgres }, { job_name: glasshouse-worker },
            { job_name: glasshouse-api, scrape_interval: 15s }, { job_name: glasshouse-gateway }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        retain_jobs(&mut config, |_| false).unwrap();
        let jobs = config["scrape_configs"].as_sequence().unwrap();
        let found: Vec<_> = jobs.iter().filter_map(process_of).collect();
        assert_eq!(found, [Process::Worker, Process::Api, Process::Gateway]);
        assert_eq!(jobs[1]["scrape_interval"], Value::from("15s"));
    }

    #[test]
    fn a_missing_job_is_reported() {
        let mut config: Value =
            yaml_serde::from_str("scrape_configs: [{ job_name: glasshouse-api }]").unwrap();
        let error = retain_jobs(&mut config, |_| false).unwrap_err();
        assert_eq!(error.to_string(), "no job glasshouse-worker");
    }
}
