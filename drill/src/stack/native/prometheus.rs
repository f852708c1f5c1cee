//! Prometheus as a process.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

use crate::stack::addresses::Addresses;
use crate::stack::monitoring_config;
use crate::stack::options::StackContext;
use crate::stack::process::ProcessSpec;

/// The name of its data folder.
pub(super) const DATA: &str = "prometheus-data";

/// Writes the configuration and the rules, with the addresses of the stack, and returns the process that uses them.
pub(super) fn spec(context: &StackContext<'_>) -> Result<ProcessSpec> {
    let &StackContext { project, speed, addresses, folder } = context;
    monitoring_config::write_rules(project, speed, &folder.join("rules"))?;
    let mut config = monitoring_config::prometheus(project, speed)?;
    redirect(&mut config, addresses, folder).context("the configuration of Prometheus")?;
    let file = folder.join("prometheus.json");
    monitoring_config::write(&config, &file)?;

    let spec = ProcessSpec::installed("prometheus", &["prometheus"])?
        .flag("config.file", file.display())
        .flag("web.listen-address", addresses.prometheus)
        .flag("storage.tsdb.path", folder.join(DATA).display())
        .flag("log.level", "warn");
    Ok(monitoring_config::prometheus_flags(speed).into_iter().fold(spec, ProcessSpec::argument))
}

/// Points the configuration to the rules, to Alertmanager and to the processes of the stack.
fn redirect(config: &mut Value, addresses: &Addresses, folder: &Path) -> Result<()> {
    let config = config.as_mapping_mut().context("the root is not a mapping")?;
    config.insert("rule_files".into(), vec![format!("{}/rules/*.yml", folder.display())].into());
    let alertmanager = mapping("static_configs", vec![targets(addresses.alertmanager)]);
    config.insert("alerting".into(), mapping("alertmanagers", vec![alertmanager]));
    config.remove("remote_write");

    let jobs = config.get_mut("scrape_configs").and_then(Value::as_sequence_mut);
    for job in jobs.into_iter().flatten() {
        let process = monitoring_config::process_of(job).context("a job of another service")?;
        let job = job.as_mapping_mut().context("a job is not a mapping")?;
        job.remove("dns_sd_configs");
        job.insert("static_configs".into(), vec![targets(addresses.management(process))].into());
    }
    Ok(())
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
    use crate::catalogue::Process;
    use crate::stack::ports::PortAllocator;

    #[test]
    fn all_targets_are_processes_of_the_stack() {
        let text = "scrape_configs: [{ job_name: glasshouse-worker, static_configs: [{ targets: ['worker:9000'] }] },
            { job_name: glasshouse-api, scrape_interval: 15s }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        let addresses = Addresses::allocate(&mut PortAllocator::default()).unwrap();
        redirect(&mut config, &addresses, Path::new("/f")).unwrap();
        let target = |job: usize| config["scrape_configs"][job]["static_configs"][0]["targets"][0].clone();
        let expected = |process| Value::from(addresses.management(process).to_string());
        assert_eq!(target(0), expected(Process::Worker));
        assert_eq!(target(1), expected(Process::Api));
        assert_eq!(config["scrape_configs"][1]["scrape_interval"], Value::from("15s"));
        assert_eq!(config["rule_files"][0], Value::from("/f/rules/*.yml"));
        let alertmanager = &config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0];
        assert_eq!(*alertmanager, Value::from(addresses.alertmanager.to_string()));
    }
}
