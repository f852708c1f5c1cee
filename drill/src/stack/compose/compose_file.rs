//! Writes the Compose file of a drill: that of the project, with the changes that a drill needs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

use crate::project::{Compose, Project, Variables, merge, read_yaml};
use crate::receiver::DEFAULT_TIMEOUT;
use crate::speed::Speed;
use crate::stack::addresses::Addresses;
use crate::stack::monitoring_config;

/// Where Alertmanager finds the receiver of notifications.
const RECEIVER: &str = "http://alert-receiver:9094";

/// The user `nobody`, as which Prometheus and Alertmanager run, as options of a tmpfs. Its `mode` would not do: some
/// versions of runc replace it by that of the folder in the image.
const NOBODY: &str = "uid=65534,gid=65534";

/// The Compose files of a drill.
pub(super) struct ComposeFiles {
    /// The file of the stack.
    pub(super) stack: PathBuf,
    /// The same without published ports, for further replicas: two cannot publish one port.
    pub(super) replicas: PathBuf,
}

/// The changes to the Compose file.
#[derive(Clone)]
pub(super) struct Overrides<'a> {
    pub(super) project: &'a Project,
    pub(super) compose: &'a Compose,
    pub(super) speed: Speed,
    /// The published ports: service, port of the container, address of this machine.
    pub(super) published: Vec<PublishedPort>,
    /// An existing image of the service; `None` to build it.
    pub(super) image: Option<&'a str>,
    /// A folder for the files that are mounted into containers.
    pub(super) folder: &'a Path,
}

/// A service, the port in its container, and the address of this machine.
pub(super) type PublishedPort = (String, u16, SocketAddr);

/// The ports that are published on the addresses of a stack.
pub(super) fn published(compose: &Compose, addresses: &Addresses) -> Result<Vec<PublishedPort>> {
    let mut published = Vec::new();
    for (name, port) in &compose.ports {
        // The process of a port has the name of its service.
        let service = name.split('.').next().unwrap_or_default();
        published.push((service.to_owned(), *port, addresses.port(name)?));
    }
    let others = [
        ("prometheus", 9090, addresses.prometheus),
        ("alertmanager", 9093, addresses.alertmanager),
        ("alert-receiver", 9094, addresses.receiver),
    ];
    published.extend(others.map(|(service, port, address)| (service.to_owned(), port, address)));
    Ok(published)
}

impl Overrides<'_> {
    /// Writes the Compose files and the mounted configurations.
    pub(super) fn write(&self) -> Result<ComposeFiles> {
        self.write_configurations()?;
        let unpublished = Self { published: Vec::new(), ..self.clone() };
        Ok(ComposeFiles {
            stack: self.write_compose("compose.json")?,
            replicas: unpublished.write_compose("replicas.json")?,
        })
    }

    fn write_compose(&self, name: &str) -> Result<PathBuf> {
        let path = self.project.path(&self.compose.file);
        let mut compose: Value = read_yaml(&path)?;
        self.apply(&mut compose).with_context(|| path.display().to_string())?;
        let file = self.folder.join(name);
        monitoring_config::write(&compose, &file)?;
        Ok(file)
    }

    fn write_configurations(&self) -> Result<()> {
        let &Self { project, compose, speed, folder, .. } = self;
        let is_kept = |job: &str| compose.jobs.iter().any(|kept| kept == job);
        monitoring_config::write_rules(project, speed, &folder.join("rules"))?;
        monitoring_config::write(
            &monitoring_config::prometheus(project, speed, is_kept)?,
            &folder.join("prometheus.json"),
        )?;
        monitoring_config::write(
            &monitoring_config::alertmanager(project, speed, RECEIVER)?,
            &folder.join("alertmanager.json"),
        )
    }

    fn apply(&self, compose: &mut Value) -> Result<()> {
        merge(compose)?;
        let compose = compose.as_mapping_mut().context("the root is not a mapping")?;
        compose.remove("name"); // each stack has its own project name
        let internal = internal_networks(compose);
        let services = compose.get_mut("services").and_then(Value::as_mapping_mut).context("no services")?;
        let needed = || self.compose.services.iter().chain(&self.compose.one_off);
        let is_kept = |name: &str| needed().any(|kept| kept == name);
        services.retain(|name, _| name.as_str().is_some_and(is_kept));
        for name in needed() {
            let service = services.get_mut(name.as_str()).and_then(Value::as_mapping_mut);
            let service = service.with_context(|| format!("no service {name}"))?;
            if let Some(needed) = service.get_mut("depends_on").and_then(Value::as_mapping_mut) {
                needed.retain(|name, _| name.as_str().is_some_and(is_kept));
            }
            self.apply_to_service(name, service, &internal).with_context(|| name.clone())?;
        }
        Ok(())
    }

    /// `internal` are the networks without a way to this machine.
    fn apply_to_service(&self, name: &str, service: &mut Mapping, internal: &BTreeSet<String>) -> Result<()> {
        // A container that exits must be detected, not restarted.
        service.insert("restart".into(), "no".into());
        service.remove("ports");
        for (_, port, address) in self.published.iter().filter(|(published, ..)| *published == name) {
            append(service, "ports", &[format!("{address}:{port}")]);
        }
        // A service with a network of its own to the outside gets no second one. Otherwise its name would have two addresses in
        // Prometheus, and those that it scrapes or has probed must be reachable for the prober too.
        let needs_way_out = service.contains_key("ports") || name == "k6";
        if needs_way_out && networks_of(service).iter().all(|network| internal.contains(network)) {
            service.insert("networks".into(), list(["private", "published"]));
        }
        if service.get("image").and_then(Value::as_str) == Some(&self.compose.image)
            && let Some(image) = self.image
        {
            service.insert("image".into(), image.into());
            service.remove("build");
        }
        if self.project.processes().iter().any(|process| process.name == name) {
            set(service, &self.project.config().environment)?;
            set(service, &self.compose.environment)?;
        }
        match name {
            "prometheus" => {
                append(service, "command", &monitoring_config::prometheus_flags(self.speed));
                let files = [("prometheus.json", "prometheus.yml"), ("rules", "rules")];
                self.mount(service, "/etc/prometheus", &files, "/prometheus");
            }
            "alertmanager" => {
                let file = [("alertmanager.json", "alertmanager.yml")];
                self.mount(service, "/etc/alertmanager", &file, "/alertmanager");
            }
            "alert-receiver" => {
                let timeout = self.speed.divide(DEFAULT_TIMEOUT).as_secs().max(1).to_string();
                let variable = ("GLASSHOUSE_HEARTBEAT_TIMEOUT_SECONDS".to_owned(), timeout);
                set(service, &Variables::from([variable]))?;
            }
            "blackbox-exporter" => {
                let offset = monitoring_config::PROBE_TIMEOUT_OFFSET;
                append(service, "command", &[format!("--timeout-offset={offset}")]);
            }
            "k6" => {
                let environment = environment_of(service)?;
                environment.remove("DURATION"); // set for each run
                environment.insert("SPEED".into(), self.speed.to_string().into());
            }
            _ => {}
        }
        Ok(())
    }

    /// Mounts the files of the drill instead of the project's, and keeps the data in memory until the container stops.
    fn mount(&self, service: &mut Mapping, target: &str, files: &[(&str, &str)], data: &str) {
        service.remove("volumes");
        let mount = |(source, name): &(&str, &str)| {
            format!("{}:{target}/{name}:ro", self.folder.join(source).display())
        };
        append(service, "volumes", &files.iter().map(mount).collect::<Vec<_>>());
        append(service, "tmpfs", &[format!("{data}:{NOBODY}")]);
    }
}

fn internal_networks(compose: &Mapping) -> BTreeSet<String> {
    let networks = compose.get("networks").and_then(Value::as_mapping).into_iter().flatten();
    let internal =
        networks.filter(|(_, network)| network.get("internal").and_then(Value::as_bool) == Some(true));
    internal.filter_map(|(name, _)| Some(name.as_str()?.to_owned())).collect()
}

/// The networks of a service: a list, or a mapping with aliases.
fn networks_of(service: &Mapping) -> Vec<String> {
    let names: Vec<&Value> = match service.get("networks") {
        Some(Value::Sequence(names)) => names.iter().collect(),
        Some(Value::Mapping(networks)) => networks.keys().collect(),
        _ => Vec::new(),
    };
    names.into_iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
}

fn environment_of(service: &mut Mapping) -> Result<&mut Mapping> {
    service.get_mut("environment").and_then(Value::as_mapping_mut).context("no environment")
}

fn set(service: &mut Mapping, variables: &Variables) -> Result<()> {
    let variables = variables.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
    environment_of(service)?.extend(variables);
    Ok(())
}

/// Appends to a list, which is created if it is missing.
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
    use crate::stack::ports::PortAllocator;

    /// The project's Compose file with the overrides.
    fn overridden(image: Option<&str>) -> (Value, Vec<PublishedPort>) {
        let project = project();
        let compose = project.compose().unwrap();
        let addresses = Addresses::allocate(&project, &mut PortAllocator::default()).unwrap();
        let (speed, ports) = ("30".parse().unwrap(), published(compose, &addresses).unwrap());
        let mut file: Value = read_yaml(&project.path(&compose.file)).unwrap();
        let (published, folder) = (ports.clone(), Path::new("/f"));
        Overrides { project: &project, compose, speed, published, image, folder }.apply(&mut file).unwrap();
        (file, ports)
    }

    fn project() -> Project {
        Project::read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap()
    }

    fn texts(value: &Value) -> Vec<&str> {
        value.as_sequence().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    #[test]
    fn only_the_ports_that_a_drill_needs_are_published() {
        let (compose, published) = overridden(None);
        let services = compose["services"].as_mapping().unwrap();
        let ports: Vec<_> = services.iter().flat_map(|(_, service)| texts(&service["ports"])).collect();
        let mut expected: Vec<_> =
            published.into_iter().map(|(_, port, address)| format!("{address}:{port}")).collect();
        expected.sort();
        let mut found = ports.clone();
        found.sort_unstable();
        assert_eq!(found, expected);
        for (name, service) in services.iter().filter(|(_, service)| !texts(&service["ports"]).is_empty()) {
            assert_ne!(networks_of(service.as_mapping().unwrap()), ["private"], "{name:?}: no way out");
        }
    }

    /// Else its name would have an address that the blackbox exporter, which is asked to probe it, cannot reach.
    #[test]
    fn prometheus_meets_the_api_in_one_network() {
        let (compose, _) = overridden(None);
        let of = |name: &str| networks_of(compose["services"][name].as_mapping().unwrap());
        let (api, prometheus) = (of("api"), of("prometheus"));
        let common: Vec<_> = api.iter().filter(|network| prometheus.contains(network)).collect();
        assert_eq!(common, ["private"], "{api:?} and {prometheus:?}");
        assert!(of("blackbox-exporter").contains(common[0]));
    }

    #[test]
    fn no_service_restarts_or_depends_on_a_removed_service() {
        let (compose, _) = overridden(None);
        let services = compose["services"].as_mapping().unwrap();
        let project = project();
        let needed = project.compose().unwrap();
        assert_eq!(services.len(), needed.services.len() + needed.one_off.len());
        for (name, service) in services {
            assert_eq!(service["restart"], Value::from("no"), "{name:?}");
            for (needed, _) in service["depends_on"].as_mapping().into_iter().flatten() {
                assert!(services.contains_key(needed), "{name:?} waits for {needed:?}");
            }
        }
        assert!(compose.get("name").is_none(), "two stacks would be one");
    }

    #[test]
    fn prometheus_has_the_files_of_the_drill_and_keeps_its_data_in_memory() {
        let (compose, _) = overridden(None);
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
    fn a_probe_has_nearly_as_long_as_a_scrape() {
        let (compose, _) = overridden(None);
        let command = texts(&compose["services"]["blackbox-exporter"]["command"]);
        assert!(command.contains(&"--timeout-offset=0.05"), "{command:?}");
    }

    #[test]
    fn the_service_is_limited_and_sends_no_errors_to_sentry() {
        let (compose, _) = overridden(None);
        let environment = &compose["services"]["api"]["environment"];
        assert_eq!(environment["GLASSHOUSE_MAX_CONCURRENT_REQUESTS"], Value::from("32"));
        assert_eq!(environment["SENTRY_DSN"], Value::from(""));
        assert_eq!(environment["GLASSHOUSE_MANAGEMENT_ADDR"], Value::from("0.0.0.0:9000"));
        assert_eq!(environment["OTEL_EXPORTER_OTLP_ENDPOINT"], Value::from("http://otel-collector:4317"));
        assert_eq!(compose["services"]["k6"]["environment"]["SPEED"], Value::from("30"));
    }

    #[test]
    fn an_existing_image_is_not_built() {
        let image = |compose: &Value, service: &str| compose["services"][service]["image"].clone();
        let (built, _) = overridden(None);
        assert_eq!(image(&built, "api"), Value::from("glasshouse:local"));
        assert!(built["services"]["api"].get("build").is_some());
        let (existing, _) = overridden(Some("glasshouse:1.2"));
        for service in ["api", "worker", "gateway", "migrate", "alert-receiver"] {
            assert_eq!(image(&existing, service), Value::from("glasshouse:1.2"), "{service}");
            assert!(existing["services"][service].get("build").is_none(), "{service}");
        }
        assert_eq!(image(&existing, "redis"), image(&built, "redis"));
    }
}
