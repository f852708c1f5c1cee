//! The Compose file of a drill: that of the project, with what a drill has to change.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

use crate::catalogue::Process;
use crate::project::{Project, merge, read_yaml};
use crate::speed::Speed;
use crate::stack::{Addresses, LIMITS, configuration};

/// What runs from the start: what alerts are about, and what carries the evidence. What only people look at is left out.
pub(super) const SERVICES: [&str; 11] = [
    "alert-receiver",
    "alertmanager",
    "api",
    "gateway",
    "loki",
    "otel-collector",
    "postgres",
    "prometheus",
    "redis",
    "tempo",
    "worker",
];
/// What runs for a while.
const OTHERS: [&str; 2] = ["k6", "migrate"];

/// The service in a process's container.
pub(super) const fn service_of(process: Process) -> &'static str {
    match process {
        Process::Api => "api",
        Process::Worker => "worker",
        Process::Gateway => "gateway",
    }
}

/// The port of the management interface in each container of the service.
const MANAGEMENT: u16 = 9000;

/// As whom Prometheus and Alertmanager run in their images. Not by `mode`: some versions of runc set that of the image's folder.
const NOBODY: &str = "uid=65534,gid=65534";

/// What a drill has its own way.
pub(super) struct Changes<'a> {
    pub(super) project: &'a Project,
    pub(super) speed: Speed,
    /// Where a drill asks, and what answers.
    pub(super) published: Vec<(&'static str, u16, SocketAddr)>,
    /// The image of the service, if it is not to be built.
    pub(super) image: Option<&'a str>,
    /// Where files can be put that containers are given.
    pub(super) folder: &'a Path,
}

/// What is published on the addresses of a stack.
pub(super) fn published(addresses: &Addresses) -> Vec<(&'static str, u16, SocketAddr)> {
    let management =
        Process::ALL.map(|process| (service_of(process), MANAGEMENT, addresses.management(process)));
    let others = [
        ("api", 8080, addresses.http),
        ("gateway", 8090, addresses.gateway),
        ("prometheus", 9090, addresses.prometheus),
        ("alertmanager", 9093, addresses.alertmanager),
        ("alert-receiver", 9094, addresses.receiver),
    ];
    management.into_iter().chain(others).collect()
}

impl Changes<'_> {
    /// Writes the Compose file and what its containers are given.
    pub(super) fn write(&self) -> Result<PathBuf> {
        let path = self.project.compose_file();
        let mut compose: Value = read_yaml(&path)?;
        self.make(&mut compose).with_context(|| path.display().to_string())?;
        self.write_configurations()?;
        let file = self.folder.join("compose.json");
        configuration::write(&compose, &file)?;
        Ok(file)
    }

    fn write_configurations(&self) -> Result<()> {
        let &Self { project, speed, folder, .. } = self;
        configuration::write_rules(project, speed, &folder.join("rules"))?;
        configuration::write(&configuration::prometheus(project, speed)?, &folder.join("prometheus.json"))?;
        configuration::write(&configuration::alertmanager(project, speed)?, &folder.join("alertmanager.json"))
    }

    fn make(&self, compose: &mut Value) -> Result<()> {
        merge(compose)?;
        let compose = compose.as_mapping_mut().context("no mapping")?;
        compose.remove("name"); // each stack has its own
        let services = compose.get_mut("services").and_then(Value::as_mapping_mut).context("no services")?;
        let is_kept = |name: &str| SERVICES.contains(&name) || OTHERS.contains(&name);
        services.retain(|name, _| name.as_str().is_some_and(is_kept));
        for name in SERVICES.into_iter().chain(OTHERS) {
            let service = services.get_mut(name).and_then(Value::as_mapping_mut);
            let service = service.with_context(|| format!("no service {name}"))?;
            if let Some(needed) = service.get_mut("depends_on").and_then(Value::as_mapping_mut) {
                needed.retain(|name, _| name.as_str().is_some_and(is_kept));
            }
            self.change(name, service).with_context(|| name.to_owned())?;
        }
        Ok(())
    }

    fn change(&self, name: &str, service: &mut Mapping) -> Result<()> {
        // One that ends although nobody stopped it shall be missed.
        service.insert("restart".into(), "no".into());
        service.remove("ports");
        for (_, port, address) in self.published.iter().filter(|(published, ..)| *published == name) {
            append(service, "ports", &[format!("{address}:{port}")]);
        }
        if service.contains_key("ports") || name == "k6" {
            service.insert("networks".into(), list(["private", "published"]));
        }
        if service.get("image").and_then(Value::as_str) == Some(OUR_IMAGE)
            && let Some(image) = self.image
        {
            service.insert("image".into(), image.into());
            service.remove("build");
        }
        match name {
            "api" | "worker" | "gateway" => {
                set(service, LIMITS)?;
                let ours = [("GLASSHOUSE_FAULTS_ENABLED", "true"), ("PYROSCOPE_SERVER_ADDRESS", "")];
                // What a drill breaks is no news for whoever is told of errors.
                set(service, ours.into_iter().chain([("SENTRY_DSN", "")]))?;
            }
            "prometheus" => {
                append(service, "command", &configuration::prometheus_flags(self.speed));
                let files = [("prometheus.json", "prometheus.yml"), ("rules", "rules")];
                self.mount(service, "/etc/prometheus", &files, "/prometheus");
            }
            "alertmanager" => {
                let file = [("alertmanager.json", "alertmanager.yml")];
                self.mount(service, "/etc/alertmanager", &file, "/alertmanager");
            }
            "k6" => {
                let environment = environment_of(service)?;
                environment.remove("DURATION"); // each run has its own
                environment.insert("SPEED".into(), self.speed.to_string().into());
            }
            _ => {}
        }
        Ok(())
    }

    /// Our files in the place of the project's, and data that is gone when the container stops.
    fn mount(&self, service: &mut Mapping, target: &str, files: &[(&str, &str)], data: &str) {
        service.remove("volumes");
        let mount = |(source, name): &(&str, &str)| {
            format!("{}:{target}/{name}:ro", self.folder.join(source).display())
        };
        append(service, "volumes", &files.iter().map(mount).collect::<Vec<_>>());
        append(service, "tmpfs", &[format!("{data}:{NOBODY}")]);
    }
}

/// The image that the Compose file builds of our source.
const OUR_IMAGE: &str = "glasshouse:local";

fn environment_of(service: &mut Mapping) -> Result<&mut Mapping> {
    service.get_mut("environment").and_then(Value::as_mapping_mut).context("no environment")
}

fn set<'a>(service: &mut Mapping, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<()> {
    environment_of(service)?.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
    Ok(())
}

/// Adds to a list, which may not be there yet.
fn append(service: &mut Mapping, name: &str, values: &[String]) {
    let list = service.entry(name.into()).or_insert_with(|| list([]));
    if let Value::Sequence(list) = list {
        list.extend(values.iter().map(|value| value.as_str().into()));
    }
}

fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> Value {
    Value::Sequence(values.into_iter().map(Value::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::ports::Ports;

    /// The project's own Compose file, changed.
    fn changed(image: Option<&str>) -> (Value, Addresses) {
        let project = Project::new(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
        let addresses = Addresses::free(&mut Ports::default()).unwrap();
        let (speed, published, folder) = ("30".parse().unwrap(), published(&addresses), Path::new("/f"));
        let mut compose: Value = read_yaml(&project.compose_file()).unwrap();
        Changes { project: &project, speed, published, image, folder }.make(&mut compose).unwrap();
        (compose, addresses)
    }

    fn texts(value: &Value) -> Vec<&str> {
        value.as_sequence().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    #[test]
    fn a_drill_publishes_what_it_asks_and_nothing_else() {
        let (compose, addresses) = changed(None);
        let services = compose["services"].as_mapping().unwrap();
        let ports: Vec<_> = services.iter().flat_map(|(_, service)| texts(&service["ports"])).collect();
        let mut expected: Vec<_> =
            published(&addresses).into_iter().map(|(_, port, address)| format!("{address}:{port}")).collect();
        expected.sort();
        let mut found = ports.clone();
        found.sort_unstable();
        assert_eq!(found, expected);
        for (name, service) in services.iter().filter(|(_, service)| !texts(&service["ports"]).is_empty()) {
            assert_eq!(texts(&service["networks"]), ["private", "published"], "{name:?}");
        }
    }

    #[test]
    fn what_ends_is_missed_and_what_waits_waits_for_what_is_there() {
        let (compose, _) = changed(None);
        let services = compose["services"].as_mapping().unwrap();
        assert_eq!(services.len(), SERVICES.len() + OTHERS.len());
        for (name, service) in services {
            assert_eq!(service["restart"], Value::from("no"), "{name:?}");
            for (needed, _) in service["depends_on"].as_mapping().into_iter().flatten() {
                assert!(services.contains_key(needed), "{name:?} waits for {needed:?}");
            }
        }
        assert!(compose.get("name").is_none(), "two stacks would be one");
    }

    #[test]
    fn prometheus_has_our_files_and_forgets_with_its_container() {
        let (compose, _) = changed(None);
        let prometheus = &compose["services"]["prometheus"];
        assert_eq!(
            texts(&prometheus["volumes"]),
            ["/f/prometheus.json:/etc/prometheus/prometheus.yml:ro", "/f/rules:/etc/prometheus/rules:ro"]
        );
        assert_eq!(texts(&prometheus["tmpfs"]), ["/prometheus:uid=65534,gid=65534"]);
        let command = texts(&prometheus["command"]);
        assert!(command.contains(&"--enable-feature=exemplar-storage"), "{command:?}");
        assert!(command.contains(&"--query.lookback-delta=10s"), "{command:?}");
    }

    #[test]
    fn the_service_is_small_and_reports_to_nobody() {
        let (compose, _) = changed(None);
        let environment = &compose["services"]["api"]["environment"];
        assert_eq!(environment["GLASSHOUSE_MAX_CONCURRENT_REQUESTS"], Value::from("32"));
        assert_eq!(environment["SENTRY_DSN"], Value::from(""));
        assert_eq!(environment["OTEL_EXPORTER_OTLP_ENDPOINT"], Value::from("http://otel-collector:4317"));
        assert_eq!(compose["services"]["k6"]["environment"]["SPEED"], Value::from("30"));
    }

    #[test]
    fn an_image_that_is_there_is_not_built() {
        let image = |compose: &Value, service: &str| compose["services"][service]["image"].clone();
        let (built, _) = changed(None);
        assert_eq!(image(&built, "api"), Value::from("glasshouse:local"));
        assert!(built["services"]["api"].get("build").is_some());
        let (taken, _) = changed(Some("glasshouse:1.2"));
        for service in ["api", "worker", "gateway", "migrate", "alert-receiver"] {
            assert_eq!(image(&taken, service), Value::from("glasshouse:1.2"), "{service}");
            assert!(taken["services"][service].get("build").is_none(), "{service}");
        }
        assert_eq!(image(&taken, "redis"), image(&built, "redis"));
    }
}
