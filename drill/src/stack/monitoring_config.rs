//! The configuration of Prometheus and Alertmanager on both platforms: that of the project, with divided durations.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use promql_parser::util::display_duration;
use yaml_serde::{Mapping, Value};

use crate::project::{Process, Project, read_yaml};
use crate::rules::RuleFiles;
use crate::speed::Speed;

/// Prometheus' default for how long a series without new samples is returned by queries.
const LOOKBACK_DELTA: Duration = Duration::from_secs(300);
/// Prometheus' default for the interval at which a firing alert is sent again.
const RESEND_DELAY: Duration = Duration::from_secs(60);

/// What a probe of the blackbox exporter has less than a scrape, in seconds: its flag `--timeout-offset`. By default half a second,
/// which is more than a scrape of a drill may take.
pub(super) const PROBE_TIMEOUT_OFFSET: f64 = 0.05;

/// Writes the divided rules into a folder.
pub(super) fn write_rules(project: &Project, speed: Speed, folder: &Path) -> Result<()> {
    let mut rules = RuleFiles::read(&project.rules())?;
    rules.divide(speed)?;
    rules.write(folder)
}

/// The configuration of Prometheus, with the jobs of the service, and those others that `is_kept` selects by their name.
pub(super) fn prometheus(project: &Project, speed: Speed, is_kept: impl Fn(&str) -> bool) -> Result<Value> {
    let path = project.prometheus_config();
    let mut config = divided(&path, speed)?;
    retain_jobs(&mut config, project.processes(), is_kept).with_context(|| path.display().to_string())?;
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

/// The configuration of Alertmanager, which delivers to the receiver of the drill alone.
pub(super) fn alertmanager(project: &Project, speed: Speed, receiver: &str) -> Result<Value> {
    let path = project.alertmanager_config();
    let mut config = divided(&path, speed)?;
    let webhooks = redirect_receivers(&mut config, receiver);
    ensure!(webhooks > 0, "{}: no receiver delivers anywhere", path.display());
    Ok(config)
}

/// Replaces what every receiver delivers to by a webhook of this server, and returns how many webhooks there are. People are not
/// paged by a drill.
fn redirect_receivers(config: &mut Value, server: &str) -> usize {
    let receivers = config.get_mut("receivers").and_then(Value::as_sequence_mut).into_iter().flatten();
    receivers.filter_map(Value::as_mapping_mut).map(|receiver| redirect(receiver, server)).sum()
}

fn redirect(receiver: &mut Mapping, server: &str) -> usize {
    let is_integration = |key: &Value| key.as_str().is_some_and(|key| key.ends_with("_configs"));
    let mut webhooks = match receiver.remove("webhook_configs") {
        Some(Value::Sequence(webhooks)) => webhooks,
        _ => Vec::new(),
    };
    for webhook in webhooks.iter_mut().filter_map(Value::as_mapping_mut) {
        let url = webhook.get("url").and_then(Value::as_str).unwrap_or_default();
        // Those of the receiver are `/webhook` and `/heartbeat`.
        let path = if url.ends_with("/heartbeat") { "heartbeat" } else { "webhook" };
        for key in ["url_file", "http_config"] {
            webhook.remove(key);
        }
        webhook.insert("url".into(), format!("{server}/{path}").into());
    }
    let before = receiver.len();
    receiver.retain(|key, _| !is_integration(key));
    if receiver.len() < before {
        let webhook = [("url", format!("{server}/webhook").into()), ("send_resolved", true.into())];
        webhooks
            .push(webhook.into_iter().map(|(key, value)| (key.into(), value)).collect::<Mapping>().into());
    }
    let count = webhooks.len();
    if count > 0 {
        receiver.insert("webhook_configs".into(), webhooks.into());
    }
    count
}

/// Writes a configuration as JSON, which is valid YAML.
pub(super) fn write(config: &Value, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(config)?;
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

/// The process that a job scrapes; `None` if it is none of the service.
pub(super) fn process_of<'a>(job: &Value, processes: &'a [Process]) -> Option<&'a Process> {
    let name = job.get("job_name")?.as_str()?;
    processes.iter().find(|process| process.service() == name)
}

fn divided(path: &Path, speed: Speed) -> Result<Value> {
    let mut config: Value = read_yaml(path)?;
    speed.divide_file(&mut config).with_context(|| path.display().to_string())?;
    Ok(config)
}

fn retain_jobs(config: &mut Value, processes: &[Process], is_kept: impl Fn(&str) -> bool) -> Result<()> {
    let jobs = config.get_mut("scrape_configs").and_then(Value::as_sequence_mut);
    let jobs = jobs.context("no scrape_configs")?;
    let name_of = |job: &Value| job.get("job_name").and_then(Value::as_str).map(str::to_owned);
    jobs.retain(|job| {
        process_of(job, processes).is_some() || name_of(job).is_some_and(|name| is_kept(&name))
    });
    for process in processes {
        let has_job = jobs.iter().any(|job| job["job_name"].as_str() == Some(process.service()));
        ensure!(has_job, "no job {}", process.service());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processes(names: &[&str]) -> Vec<Process> {
        let process = |name: &&str| format!("{{ name: {name}, ports: [http] }}");
        yaml_serde::from_str(&format!("[{}]", names.iter().map(process).collect::<Vec<_>>().join(",")))
            .unwrap()
    }

    #[test]
    fn other_jobs_are_removed() {
        let text = "scrape_configs: [{ job_name: postgres }, { job_name: worker },
            { job_name: api, scrape_interval: 15s }, { job_name: kept }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        retain_jobs(&mut config, &processes(&["api", "worker"]), |name| name == "kept").unwrap();
        let jobs = config["scrape_configs"].as_sequence().unwrap();
        let found: Vec<_> = jobs.iter().map(|job| job["job_name"].as_str().unwrap()).collect();
        assert_eq!(found, ["worker", "api", "kept"]);
        assert_eq!(jobs[1]["scrape_interval"], Value::from("15s"));
    }

    #[test]
    fn a_missing_job_is_reported() {
        let mut config: Value = yaml_serde::from_str("scrape_configs: [{ job_name: api }]").unwrap();
        let error = retain_jobs(&mut config, &processes(&["api", "worker"]), |_| false).unwrap_err();
        assert_eq!(error.to_string(), "no job worker");
    }

    #[test]
    fn every_receiver_delivers_to_the_drill_alone() {
        let text = "receivers: [{ name: a, webhook_configs: [{ url: 'http://x/hooks/1', http_config: { proxy_url: p } },
                                  { url: 'http://y/heartbeat', send_resolved: true }] },
                                { name: b, slack_configs: [{ channel: c }], pagerduty_configs: [{ routing_key: k }] }, { name: c }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        assert_eq!(redirect_receivers(&mut config, "http://here"), 3);
        let expected = "receivers: [{ name: a, webhook_configs: [{ url: 'http://here/webhook' },
                                      { url: 'http://here/heartbeat', send_resolved: true }] },
                                    { name: b, webhook_configs: [{ url: 'http://here/webhook', send_resolved: true }] }, { name: c }]";
        assert_eq!(config, yaml_serde::from_str::<Value>(expected).unwrap());
    }
}
