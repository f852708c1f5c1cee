//! Writes the Compose file of a drill: that of the project, with the changes that a drill needs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

use crate::catalogue::Process;
use crate::project::{Project, merge, read_yaml};
use crate::receiver::DEFAULT_TIMEOUT;
use crate::speed::Speed;
use crate::stack::addresses::Addresses;
use crate::stack::monitoring_config;
use crate::stack::options::SERVICE_LIMITS;

/// The services that start with the stack: those that alerts and evidence need. Services for people only are left out.
pub(super) const SERVICES: [&str; 13] = [
    "alert-receiver",
    "alertmanager",
    "api",
    "blackbox-exporter",
    "gateway",
    "loki",
    "otel-collector",
    "postgres",
    "postgres-exporter",
    "prometheus",
    "redis",
    "tempo",
    "worker",
];
/// The jobs of Prometheus that are scraped in addition to those of the service.
const JOBS: [&str; 7] =
    ["alertmanager", "loki", "otel-collector", "postgres-exporter", "prometheus", "public-endpoint", "tempo"];

/// The services that run for a while.
const ONE_OFF_SERVICES: [&str; 3] = ["k6", "migrate", "seed"];

/// The Compose service of a process.
pub(super) const fn service_of(process: Process) -> &'static str {
    match process {
        Process::Api => "api",
        Process::Worker => "worker",
        Process::Gateway => "gateway",
    }
}

/// The port of the management interface in each container of the service.
const MANAGEMENT_PORT: u16 = 9000;

/// The user `nobody`, as which Prometheus and Alertmanager run, as options of a tmpfs. Its `mode` would not do: some
/// versions of runc replace it by that of the folder in the image.
const NOBODY: &str = "uid=65534,gid=65534";

/// The image that the Compose file builds from the source.
const SERVICE_IMAGE: &str = "glasshouse:local";

/// The changes to the Compose file.
pub(super) struct Overrides<'a> {
    pub(super) project: &'a Project,
    pub(super) speed: Speed,
    /// The published ports: service, port of the container, address of this machine.
    pub(super) published: Vec<(&'static str, u16, SocketAddr)>,
    /// An existing image of the service; `None` to build it.
    pub(super) image: Option<&'a str>,
    /// A folder for the files that are mounted into containers.
    pub(super) folder: &'a Path,
}

/// The ports that are published on the addresses of a stack.
pub(super) fn published(addresses: &Addresses) -> Vec<(&'static str, u16, SocketAddr)> {
    let management =
        Process::ALL.map(|process| (service_of(process), MANAGEMENT_PORT, addresses.management(process)));
    let others = [
        ("api", 8080, addresses.http),
        ("gateway", 8090, addresses.gateway),
        ("prometheus", 9090, addresses.prometheus),
        ("alertmanager", 9093, addresses.alertmanager),
        ("alert-receiver", 9094, addresses.receiver),
    ];
    management.into_iter().chain(others).collect()
}

impl Overrides<'_> {
    /// Writes the Compose file and the mounted configurations, and returns the path of the Compose file.
    pub(super) fn write(&self) -> Result<PathBuf> {
        let path = self.project.compose_file();
        let mut compose: Value = read_yaml(&path)?;
        self.apply(&mut compose).with_context(|| path.display().to_string())?;
        self.write_configurations()?;
        let file = self.folder.join("compose.json");
        monitoring_config::write(&compose, &file)?;
        Ok(file)
    }

    fn write_configurations(&self) -> Result<()> {
        let &Self { project, speed, folder, .. } = self;
        monitoring_config::write_rules(project, speed, &folder.join("rules"))?;
        monitoring_config::write(
            &monitoring_config::prometheus(project, speed, |job| JOBS.contains(&job))?,
            &folder.join("prometheus.json"),
        )?;
        monitoring_config::write(
            &monitoring_config::alertmanager(project, speed)?,
            &folder.join("alertmanager.json"),
        )
    }

    fn apply(&self, compose: &mut Value) -> Result<()> {
        merge(compose)?;
        let compose = compose.as_mapping_mut().context("the root is not a mapping")?;
        compose.remove("name"); // each stack has its own project name
        let services = compose.get_mut("services").and_then(Value::as_mapping_mut).context("no services")?;
        let is_kept = |name: &str| SERVICES.contains(&name) || ONE_OFF_SERVICES.contains(&name);
        services.retain(|name, _| name.as_str().is_some_and(is_kept));
        for name in SERVICES.into_iter().chain(ONE_OFF_SERVICES) {
            let service = services.get_mut(name).and_then(Value::as_mapping_mut);
            let service = service.with_context(|| format!("no service {name}"))?;
            if let Some(needed) = service.get_mut("depends_on").and_then(Value::as_mapping_mut) {
                needed.retain(|name, _| name.as_str().is_some_and(is_kept));
            }
            self.apply_to_service(name, service).with_context(|| name.to_owned())?;
        }
        Ok(())
    }

    fn apply_to_service(&self, name: &str, service: &mut Mapping) -> Result<()> {
        // A container that exits must be detected, not restarted.
        service.insert("restart".into(), "no".into());
        service.remove("ports");
        for (_, port, address) in self.published.iter().filter(|(published, ..)| *published == name) {
            append(service, "ports", &[format!("{address}:{port}")]);
        }
        if name == "api" {
            // Its name in the network of customers stays.
            let networks = service.get_mut("networks").and_then(Value::as_mapping_mut);
            networks.context("no networks")?.insert("published".into(), Mapping::new().into());
        } else if service.contains_key("ports") || name == "k6" {
            service.insert("networks".into(), list(["private", "published"]));
        }
        if service.get("image").and_then(Value::as_str) == Some(SERVICE_IMAGE)
            && let Some(image) = self.image
        {
            service.insert("image".into(), image.into());
            service.remove("build");
        }
        match name {
            "api" | "worker" | "gateway" => {
                set(service, SERVICE_LIMITS)?;
                let faults = [("GLASSHOUSE_FAULTS_ENABLED", "true"), ("PYROSCOPE_SERVER_ADDRESS", "")];
                // Errors that a drill causes are not sent to Sentry.
                set(service, faults.into_iter().chain([("SENTRY_DSN", "")]))?;
                // The drill uses the management ports from this machine.
                set(service, [("GLASSHOUSE_MANAGEMENT_ADDR", "0.0.0.0:9000")])?;
            }
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
                set(service, [("GLASSHOUSE_HEARTBEAT_TIMEOUT_SECONDS", timeout.as_str())])?;
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

fn environment_of(service: &mut Mapping) -> Result<&mut Mapping> {
    service.get_mut("environment").and_then(Value::as_mapping_mut).context("no environment")
}

fn set<'a>(service: &mut Mapping, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<()> {
    environment_of(service)?.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
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
    fn overridden(image: Option<&str>) -> (Value, Addresses) {
        let project = Project::new(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
        let addresses = Addresses::allocate(&mut PortAllocator::default()).unwrap();
        let (speed, published, folder) = ("30".parse().unwrap(), published(&addresses), Path::new("/f"));
        let mut compose: Value = read_yaml(&project.compose_file()).unwrap();
        Overrides { project: &project, speed, published, image, folder }.apply(&mut compose).unwrap();
        (compose, addresses)
    }

    fn texts(value: &Value) -> Vec<&str> {
        value.as_sequence().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    #[test]
    fn only_the_ports_that_a_drill_needs_are_published() {
        let (compose, addresses) = overridden(None);
        let services = compose["services"].as_mapping().unwrap();
        let ports: Vec<_> = services.iter().flat_map(|(_, service)| texts(&service["ports"])).collect();
        let mut expected: Vec<_> =
            published(&addresses).into_iter().map(|(_, port, address)| format!("{address}:{port}")).collect();
        expected.sort();
        let mut found = ports.clone();
        found.sort_unstable();
        assert_eq!(found, expected);
        for (name, service) in services.iter().filter(|(_, service)| !texts(&service["ports"]).is_empty()) {
            match &service["networks"] {
                Value::Mapping(networks) => assert!(networks.contains_key("published"), "{name:?}"),
                networks => assert_eq!(texts(networks), ["private", "published"], "{name:?}"),
            }
        }
    }

    #[test]
    fn no_service_restarts_or_depends_on_a_removed_service() {
        let (compose, _) = overridden(None);
        let services = compose["services"].as_mapping().unwrap();
        assert_eq!(services.len(), SERVICES.len() + ONE_OFF_SERVICES.len());
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
