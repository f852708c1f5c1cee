use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

use crate::project::Project;
use crate::speed::Speed;
use crate::stack::child::{Launch, find_program};
use crate::stack::{Addresses, configuration};

/// The folder of its data.
pub(super) const DATA: &str = "prometheus-data";

/// Writes its configuration and rules, with our addresses, and tells how to start Prometheus with them.
pub(super) fn launch(
    project: &Project,
    speed: Speed,
    addresses: &Addresses,
    folder: &Path,
) -> Result<Launch> {
    configuration::write_rules(project, speed, &folder.join("rules"))?;
    let mut config = configuration::prometheus(project, speed)?;
    redirect(&mut config, addresses, folder).context("the configuration of Prometheus")?;
    let file = folder.join("prometheus.json");
    configuration::write(&config, &file)?;

    let program = find_program(&["prometheus"]).context("prometheus is not installed")?;
    let flag = |name: &str, value: &dyn std::fmt::Display| format!("--{name}={value}");
    let launch = Launch::new("prometheus", program)
        .argument(flag("config.file", &file.display()))
        .argument(flag("web.listen-address", &addresses.prometheus))
        .argument(flag("storage.tsdb.path", &folder.join(DATA).display()))
        .argument(flag("log.level", &"warn"));
    Ok(configuration::prometheus_flags(speed).into_iter().fold(launch, Launch::argument))
}

/// Points the configuration at our processes.
fn redirect(config: &mut Value, addresses: &Addresses, folder: &Path) -> Result<()> {
    let config = config.as_mapping_mut().context("no mapping")?;
    config.insert("rule_files".into(), vec![format!("{}/rules/*.yml", folder.display())].into());
    let alertmanager = mapping("static_configs", vec![targets(addresses.alertmanager)]);
    config.insert("alerting".into(), mapping("alertmanagers", vec![alertmanager]));
    config.remove("remote_write");

    let jobs = config.get_mut("scrape_configs").and_then(Value::as_sequence_mut);
    for job in jobs.into_iter().flatten() {
        let process = configuration::process_of(job).context("a job of nobody")?;
        let job = job.as_mapping_mut().context("a job that is no mapping")?;
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
    use crate::stack::ports::Ports;

    #[test]
    fn everything_leads_to_our_processes() {
        let text = "scrape_configs: [{ job_name: glasshouse-worker, static_configs: [{ targets: ['worker:9000'] }] },
            { job_name: glasshouse-api, scrape_interval: 15s }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        let addresses = Addresses::free(&mut Ports::default()).unwrap();
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
