//! Prometheus as a process.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

use crate::catalogue::Process;
use crate::project::Project;
use crate::speed::Speed;
use crate::stack::monitoring_config;
use crate::stack::process::ProcessSpec;

/// The name of its data folder.
pub(super) const DATA: &str = "prometheus-data";

/// What the links of alerts begin with. A drill follows none of them.
const GRAFANA_URL: &str = "http://grafana.example";

/// What Prometheus is given: the project's rules, and the processes to scrape.
#[derive(Clone, Copy, Debug)]
pub struct PrometheusOptions<'a> {
    /// The repository with the rules and the configuration.
    pub project: &'a Project,
    /// The divisor of their durations.
    pub speed: Speed,
    /// Where Prometheus listens.
    pub address: SocketAddr,
    /// The management addresses of the instances of each process.
    pub targets: &'a [(Process, Vec<SocketAddr>)],
    /// What else is scraped; `None` to scrape the processes alone.
    pub others: Option<&'a OtherTargets>,
    /// Where alerts are sent, if anywhere.
    pub alertmanager: Option<SocketAddr>,
}

/// The servers around the processes.
#[derive(Clone, Debug)]
pub struct OtherTargets {
    /// The names of jobs, with their addresses.
    pub jobs: Vec<(&'static str, SocketAddr)>,
    /// The public addresses that the blackbox exporter requests, with their label `via`.
    pub probes: Vec<(&'static str, SocketAddr)>,
    /// The blackbox exporter.
    pub blackbox: SocketAddr,
}

/// The job of the blackbox exporter.
const PROBES: &str = "public-endpoint";

impl OtherTargets {
    /// Points a job to its server; `false` if it has none.
    fn redirect(&self, job: &mut Mapping) -> bool {
        let name = job.get("job_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name == PROBES {
            self.redirect_probes(job);
            return true;
        }
        let Some((_, address)) = self.jobs.iter().find(|(known, _)| *known == name) else { return false };
        job.remove("dns_sd_configs");
        job.insert("static_configs".into(), vec![targets(&[*address])].into());
        if name == "node-exporter" {
            // Only the file system of the drill: those of this machine may be full.
            let kept =
                [("source_labels", vec!["mountpoint"].into()), ("regex", "(|.*glasshouse-drill.*)".into())];
            let kept = Mapping::from_iter(kept.map(|(key, value): (&str, Value)| (key.into(), value)));
            let kept = kept.into_iter().chain([("action".into(), "keep".into())]).collect::<Mapping>();
            job.insert("metric_relabel_configs".into(), vec![Value::Mapping(kept)].into());
        }
        true
    }

    fn redirect_probes(&self, job: &mut Mapping) {
        job.remove("dns_sd_configs");
        let probes = self.probes.iter().map(|(via, address)| {
            let labels = Mapping::from_iter([("via".into(), (*via).into())]);
            let url = format!("http://{address}/health/ready");
            let mut group = Mapping::from_iter([("targets".into(), Value::from(vec![url]))]);
            group.insert("labels".into(), labels.into());
            Value::Mapping(group)
        });
        job.insert("static_configs".into(), probes.collect::<Vec<_>>().into());
        let relabeling = job.get_mut("relabel_configs").and_then(Value::as_sequence_mut);
        for step in relabeling.into_iter().flatten().filter_map(Value::as_mapping_mut) {
            if step.get("target_label").and_then(Value::as_str) == Some("__address__") {
                step.insert("replacement".into(), self.blackbox.to_string().into());
            }
        }
    }
}

impl PrometheusOptions<'_> {
    /// Writes the configuration and the rules into a folder, and returns the process that uses them.
    ///
    /// # Errors
    /// Prometheus is not installed, or a file cannot be read or written.
    pub fn spec(&self, folder: &Path) -> Result<ProcessSpec> {
        let &Self { project, speed, address, .. } = self;
        monitoring_config::write_rules(project, speed, &folder.join("rules"))?;
        let mut config = monitoring_config::prometheus(project, speed, |_| true)?;
        self.redirect(&mut config, folder).context("the configuration of Prometheus")?;
        let file = folder.join("prometheus.json");
        monitoring_config::write(&config, &file)?;

        let spec = ProcessSpec::installed("prometheus", &["prometheus"])?
            .flag("config.file", file.display())
            .flag("web.listen-address", address)
            .flag("storage.tsdb.path", folder.join(DATA).display())
            .flag("log.level", "warn");
        Ok(monitoring_config::prometheus_flags(speed).into_iter().fold(spec, ProcessSpec::argument))
    }

    /// Points the configuration to the rules, to Alertmanager and to the processes.
    fn redirect(&self, config: &mut Value, folder: &Path) -> Result<()> {
        let config = config.as_mapping_mut().context("the root is not a mapping")?;
        config.insert("rule_files".into(), vec![format!("{}/rules/*.yml", folder.display())].into());
        let receivers = self.alertmanager.map(|address| mapping("static_configs", vec![targets(&[address])]));
        config.insert("alerting".into(), mapping("alertmanagers", receivers.into_iter().collect()));
        config.remove("remote_write");
        // Prometheus 2 does not expand the variable; Compose sets it.
        let links = Mapping::from_iter([("grafana_url".into(), GRAFANA_URL.into())]);
        if let Some(global) = config.get_mut("global").and_then(Value::as_mapping_mut) {
            global.insert("external_labels".into(), links.into());
        }

        let jobs = config.get_mut("scrape_configs").and_then(Value::as_sequence_mut);
        jobs.context("no scrape_configs")?.retain_mut(|job| self.redirect_job(job));
        Ok(())
    }

    /// Points a job to its servers; `false` if it has none.
    fn redirect_job(&self, job: &mut Value) -> bool {
        let process = monitoring_config::process_of(job);
        let Some(job) = job.as_mapping_mut() else { return false };
        let Some(process) = process else {
            return self.others.is_some_and(|others| others.redirect(job));
        };
        let instances = self.targets.iter().filter(|(of, _)| *of == process);
        let instances: Vec<_> = instances.flat_map(|(_, addresses)| addresses).copied().collect();
        job.remove("dns_sd_configs");
        job.insert("static_configs".into(), vec![targets(&instances)].into());
        true
    }
}

fn targets(addresses: &[SocketAddr]) -> Value {
    mapping("targets", addresses.iter().map(|address| address.to_string().into()).collect())
}

fn mapping(key: &str, values: Vec<Value>) -> Value {
    Value::Mapping(Mapping::from_iter([(key.into(), values.into())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::ports::PortAllocator;

    #[test]
    fn all_targets_are_processes_of_the_stack() {
        let text = "scrape_configs: [{ job_name: glasshouse-worker, static_configs: [{ targets: ['worker:9000'] }] },
            { job_name: glasshouse-api, scrape_interval: 15s }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        let mut ports = PortAllocator::default();
        let mut allocate = || ports.allocate().unwrap();
        let (worker, apis, alertmanager) = (allocate(), [allocate(), allocate()], allocate());
        let monitoring = PrometheusOptions {
            project: &Project::new("/p"),
            speed: Speed::NORMAL,
            address: allocate(),
            targets: &[(Process::Api, apis.to_vec()), (Process::Worker, vec![worker])],
            others: None,
            alertmanager: Some(alertmanager),
        };
        monitoring.redirect(&mut config, Path::new("/f")).unwrap();
        let target = |job: usize, number: usize| {
            config["scrape_configs"][job]["static_configs"][0]["targets"][number].clone()
        };
        assert_eq!(target(0, 0), Value::from(worker.to_string()));
        assert_eq!([target(1, 0), target(1, 1)], apis.map(|api| Value::from(api.to_string())));
        assert_eq!(config["scrape_configs"][1]["scrape_interval"], Value::from("15s"));
        assert_eq!(config["rule_files"][0], Value::from("/f/rules/*.yml"));
        let receiver = &config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0];
        assert_eq!(*receiver, Value::from(alertmanager.to_string()));
    }
}
