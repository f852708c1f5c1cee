//! Prometheus as a process.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

use crate::project::Project;
use crate::receiver::NOWHERE;
use crate::speed::Speed;
use crate::stack::monitoring_config;
use crate::stack::process::ProcessSpec;

/// The name of its data folder.
pub(super) const DATA: &str = "prometheus-data";

/// What Prometheus is given: the project's rules, and the processes to scrape.
#[derive(Clone, Copy, Debug)]
pub struct PrometheusOptions<'a> {
    /// The project with the rules and the configuration.
    pub project: &'a Project,
    /// The divisor of their durations.
    pub speed: Speed,
    /// Where Prometheus listens.
    pub address: SocketAddr,
    /// The jobs of the service's processes, with the addresses of the metrics of their instances.
    pub targets: &'a [(&'a str, Vec<SocketAddr>)],
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
    /// What the blackbox exporter requests.
    pub probes: Vec<Probe>,
    /// The blackbox exporter.
    pub blackbox: SocketAddr,
}

/// A request of the blackbox exporter.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The label `via`.
    pub via: &'static str,
    /// What is requested.
    pub url: String,
}

/// The job of the blackbox exporter.
const PROBES: &str = "public-endpoint";

impl OtherTargets {
    /// Points a job of the stack in this folder to its server; `false` if it has none.
    fn redirect(&self, job: &mut Mapping, folder: &Path) -> bool {
        let name = job.get("job_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name == PROBES {
            self.redirect_probes(job);
            return !self.probes.is_empty();
        }
        let Some((_, address)) = self.jobs.iter().find(|(known, _)| *known == name) else { return false };
        set_targets(job, &[*address]);
        if name == "node-exporter" {
            // Only the file systems of this stack: those of the machine may be full, and those of other stacks.
            let of_stack = format!(r"(|\Q{}/\E.*)", folder.display());
            let kept = [("source_labels", vec!["mountpoint"].into()), ("regex", of_stack.into())];
            let kept = Mapping::from_iter(kept.map(|(key, value): (&str, Value)| (key.into(), value)));
            let kept = kept.into_iter().chain([("action".into(), "keep".into())]).collect::<Mapping>();
            job.insert("metric_relabel_configs".into(), vec![Value::Mapping(kept)].into());
        }
        true
    }

    fn redirect_probes(&self, job: &mut Mapping) {
        job.remove("dns_sd_configs");
        let probes = self.probes.iter().map(|Probe { via, url }| {
            let labels = Mapping::from_iter([("via".into(), (*via).into())]);
            let mut group = Mapping::from_iter([("targets".into(), Value::from(vec![url.as_str()]))]);
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
            // The links of alerts to their expressions begin with it. The name of this machine may have another address.
            .flag("web.external-url", format!("http://{address}"))
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
        // Prometheus 2 does not expand variables, such as the URL that the links of alerts begin with.
        let labels = config.get_mut("global").and_then(|global| global.get_mut("external_labels"));
        for (_, value) in labels.and_then(Value::as_mapping_mut).into_iter().flatten() {
            if value.as_str().is_some_and(|text| text.contains('$')) {
                *value = NOWHERE.into();
            }
        }

        let jobs = config.get_mut("scrape_configs").and_then(Value::as_sequence_mut);
        jobs.context("no scrape_configs")?.retain_mut(|job| self.redirect_job(job, folder));
        Ok(())
    }

    /// Points a job to its servers; `false` if it has none.
    fn redirect_job(&self, job: &mut Value, folder: &Path) -> bool {
        let process = monitoring_config::process_of(job, self.project.processes());
        let Some(job) = job.as_mapping_mut() else { return false };
        let Some(process) = process else {
            return self.others.is_some_and(|others| others.redirect(job, folder));
        };
        let instances = self.targets.iter().filter(|(of, _)| *of == process.service());
        let instances: Vec<_> = instances.flat_map(|(_, addresses)| addresses).copied().collect();
        set_targets(job, &instances);
        true
    }
}

/// Replaces the targets of a job. The labels that it gives them stay.
fn set_targets(job: &mut Mapping, instances: &[SocketAddr]) {
    let mut group = targets(instances);
    let first = job.get("static_configs").and_then(|groups| groups.get(0));
    if let (Some(labels), Some(group)) = (first.and_then(|first| first.get("labels")), group.as_mapping_mut())
    {
        group.insert("labels".into(), labels.clone());
    }
    job.retain(|key, _| !key.as_str().is_some_and(|key| key.ends_with("_sd_configs")));
    job.insert("static_configs".into(), vec![group].into());
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
            { job_name: glasshouse-api, scrape_interval: 15s, dns_sd_configs: [], static_configs: [{ labels: { env: a } }] }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        let mut ports = PortAllocator::default();
        let mut allocate = || ports.allocate().unwrap();
        let (worker, apis, alertmanager) = (allocate(), [allocate(), allocate()], allocate());
        let monitoring = PrometheusOptions {
            project: &Project::read(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap(),
            speed: Speed::NORMAL,
            address: allocate(),
            targets: &[("glasshouse-api", apis.to_vec()), ("glasshouse-worker", vec![worker])],
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
        assert_eq!(config["scrape_configs"][1]["static_configs"][0]["labels"]["env"], Value::from("a"));
        assert!(config["scrape_configs"][1].get("dns_sd_configs").is_none());
        assert_eq!(config["rule_files"][0], Value::from("/f/rules/*.yml"));
        let receiver = &config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0];
        assert_eq!(*receiver, Value::from(alertmanager.to_string()));
    }

    #[test]
    fn file_systems_of_the_machine_and_of_other_stacks_are_left_out() {
        let mut job = mapping("job_name", Vec::new());
        let job = job.as_mapping_mut().unwrap();
        job.insert("job_name".into(), "node-exporter".into());
        let address = PortAllocator::default().allocate().unwrap();
        let others =
            OtherTargets { jobs: vec![("node-exporter", address)], probes: Vec::new(), blackbox: address };
        assert!(others.redirect(job, Path::new("/tmp/drill-stack.a")));
        let kept = &job["metric_relabel_configs"][0];
        assert_eq!((&kept["action"], &kept["source_labels"][0]), (&"keep".into(), &"mountpoint".into()));
        // Text between \Q and \E is literal in the expressions of Prometheus.
        assert_eq!(kept["regex"].as_str(), Some(r"(|\Q/tmp/drill-stack.a/\E.*)"));
    }
}
