use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use promql_parser::util::display_duration;
use yaml_serde::{Mapping, Value};

use super::Addresses;
use super::child::{Launch, find_program};
use crate::catalogue::Process;
use crate::project::{Project, read_yaml};
use crate::rules::RuleFiles;
use crate::speed::Speed;

/// The folder of its data.
pub(super) const DATA: &str = "prometheus-data";

/// Prometheus' own default, which has no field in its configuration.
const LOOKBACK: Duration = Duration::from_secs(300);
/// As above: how often a firing alert is sent again.
const RESEND: Duration = Duration::from_secs(60);

/// Writes the project's configuration and rules, faster and with our addresses, and tells how to start
/// Prometheus with them.
pub(super) fn launch(
    project: &Project,
    speed: Speed,
    addresses: &Addresses,
    folder: &Path,
) -> Result<Launch> {
    let mut rules = RuleFiles::read(&project.rules())?;
    rules.divide(speed)?;
    rules.write(&folder.join("rules"))?;

    let path = project.prometheus_config();
    let mut config: Value = read_yaml(&path)?;
    redirect(&mut config, addresses, folder).with_context(|| path.display().to_string())?;
    speed.divide_file(&mut config).with_context(|| path.display().to_string())?;
    let file = folder.join("prometheus.json");
    std::fs::write(&file, serde_json::to_string_pretty(&config)?)?;

    let program = find_program(&["prometheus"]).context("prometheus is not installed")?;
    let flag = |name: &str, value: &dyn std::fmt::Display| format!("--{name}={value}");
    let divided = |duration| display_duration(&speed.divide(duration));
    Ok(Launch::new("prometheus", program)
        .argument(flag("config.file", &file.display()))
        .argument(flag("web.listen-address", &addresses.prometheus))
        .argument(flag("storage.tsdb.path", &folder.join(DATA).display()))
        .argument(flag("query.lookback-delta", &divided(LOOKBACK)))
        .argument(flag("rules.alert.resend-delay", &divided(RESEND)))
        .argument(flag("log.level", &"warn")))
}

/// Points the configuration at our processes. Jobs of other parts of the stack are left out.
fn redirect(config: &mut Value, addresses: &Addresses, folder: &Path) -> Result<()> {
    let config = config.as_mapping_mut().context("no mapping")?;
    config.insert("rule_files".into(), vec![format!("{}/rules/*.yml", folder.display())].into());
    let alertmanager = mapping("static_configs", vec![targets(addresses.alertmanager)]);
    config.insert("alerting".into(), mapping("alertmanagers", vec![alertmanager]));
    config.remove("remote_write");

    let jobs =
        config.get_mut("scrape_configs").and_then(Value::as_sequence_mut).context("no scrape_configs")?;
    jobs.retain(|job| process_of(job).is_some());
    for process in [Process::Api, Process::Worker, Process::Gateway] {
        let job = jobs.iter_mut().find(|job| process_of(job) == Some(process));
        let job =
            job.and_then(Value::as_mapping_mut).ok_or_else(|| anyhow!("no job {}", process.service()))?;
        job.remove("dns_sd_configs");
        job.insert("static_configs".into(), vec![targets(addresses.management(process))].into());
    }
    Ok(())
}

fn process_of(job: &Value) -> Option<Process> {
    let name = job.get("job_name")?.as_str()?;
    [Process::Api, Process::Worker, Process::Gateway].into_iter().find(|process| process.service() == name)
}

fn targets(address: SocketAddr) -> Value {
    mapping("targets", vec![address.to_string().into()])
}

fn mapping(key: &str, values: Vec<Value>) -> Value {
    Value::Mapping(Mapping::from_iter([(key.into(), values.into())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_jobs_lead_to_our_processes_and_others_are_left_out() {
        let text = "scrape_configs: [{ job_name: postgres },
            { job_name: glasshouse-worker, static_configs: [{ targets: ['worker:9000'] }] },
            { job_name: glasshouse-api, scrape_interval: 15s }, { job_name: glasshouse-gateway }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        let addresses = Addresses::free().unwrap();
        redirect(&mut config, &addresses, Path::new("/f")).unwrap();
        let jobs = config["scrape_configs"].as_sequence().unwrap();
        let target = |job: &Value| job["static_configs"][0]["targets"][0].as_str().unwrap().to_owned();
        let found: Vec<_> = jobs.iter().map(|job| (process_of(job).unwrap(), target(job))).collect();
        let expected = [Process::Worker, Process::Api, Process::Gateway]
            .map(|process| (process, addresses.management(process).to_string()));
        assert_eq!(found, expected);
        assert_eq!(jobs[1]["scrape_interval"], Value::from("15s"));
        assert_eq!(config["rule_files"][0], Value::from("/f/rules/*.yml"));
        let alertmanager = &config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0];
        assert_eq!(*alertmanager, Value::from(addresses.alertmanager.to_string()));
    }

    #[test]
    fn a_job_that_is_missing_is_named() {
        let mut config: Value =
            yaml_serde::from_str("scrape_configs: [{ job_name: glasshouse-api }]").unwrap();
        let error = redirect(&mut config, &Addresses::free().unwrap(), Path::new("/f")).unwrap_err();
        assert_eq!(error.to_string(), "no job glasshouse-worker");
    }
}
