//! Reads a Compose file. Only the fields that the checks need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glasshouse_drill::project::merge;
use serde::{Deserialize, Deserializer};
use yaml_serde::Value;

/// A Compose file whose variables are replaced by their defaults.
#[derive(Debug, Deserialize)]
pub(crate) struct ComposeFile {
    /// The folder of the file.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    pub(crate) services: BTreeMap<String, Service>,
    #[serde(default)]
    pub(crate) networks: BTreeMap<String, Option<Network>>,
    #[serde(default)]
    pub(crate) volumes: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    pub(crate) image: String,
    pub(crate) build: Option<Value>,
    pub(crate) entrypoint: Value,
    pub(crate) command: Value,
    pub(crate) environment: BTreeMap<String, Value>,
    pub(crate) volumes: Vec<String>,
    pub(crate) ports: Vec<String>,
    /// Networks, each with the further names of the service in it.
    #[serde(deserialize_with = "attachments")]
    pub(crate) networks: BTreeMap<String, Vec<String>>,
    pub(crate) user: Option<String>,
    pub(crate) read_only: bool,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) security_opt: Vec<String>,
    pub(crate) pids_limit: Option<u32>,
    pub(crate) depends_on: BTreeMap<String, Dependency>,
    pub(crate) profiles: Vec<String>,
    pub(crate) restart: Option<String>,
    pub(crate) mem_limit: Option<String>,
    pub(crate) logging: Option<Logging>,
    pub(crate) healthcheck: Option<HealthCheck>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Network {
    pub(crate) internal: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) condition: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Logging {
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HealthCheck {
    pub(crate) test: Value,
    #[serde(default)]
    pub(crate) disable: bool,
}

/// A list of networks, or a mapping from networks to options.
fn attachments<'de, D: Deserializer<'de>>(value: D) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Attachments {
        Names(Vec<String>),
        Options(BTreeMap<String, Option<Attachment>>),
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Attachment {
        aliases: Vec<String>,
    }
    Ok(match Attachments::deserialize(value)? {
        Attachments::Names(names) => names.into_iter().map(|name| (name, Vec::new())).collect(),
        Attachments::Options(options) => {
            options.into_iter().map(|(name, one)| (name, one.unwrap_or_default().aliases)).collect()
        }
    })
}

/// A file or folder of the host that is mounted into a container.
pub(crate) struct Mount {
    pub(crate) source: PathBuf,
    pub(crate) target: String,
    pub(crate) is_read_only: bool,
}

impl ComposeFile {
    /// Reads `docker-compose.yml` in this folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("docker-compose.yml")).unwrap();
        let mut value: Value = yaml_serde::from_str(&interpolate(&text)).unwrap();
        merge(&mut value).unwrap();
        let file: Self = yaml_serde::from_value(value).unwrap();
        Self { folder: folder.to_owned(), ..file }
    }

    /// Whether a network is declared and has a way out.
    pub(crate) fn is_external(&self, network: &str) -> bool {
        self.networks.get(network).is_some_and(|one| !one.as_ref().is_some_and(|one| one.internal))
    }

    /// The bind mounts of a service.
    pub(crate) fn mounts(&self, service: &Service) -> Vec<Mount> {
        let mount = |volume: &String| {
            let mut parts = volume.split(':');
            let source = parts.next().filter(|source| source.starts_with(['.', '/']))?;
            Some(Mount {
                source: self.folder.join(source),
                target: parts.next()?.to_owned(),
                is_read_only: parts.next() == Some("ro"),
            })
        };
        service.volumes.iter().filter_map(mount).collect()
    }

    /// The bind mounts from the folder of the Compose file.
    pub(crate) fn project_mounts(&self, service: &Service) -> Vec<Mount> {
        let mut mounts = self.mounts(service);
        mounts.retain(|mount| mount.source.starts_with(&self.folder));
        mounts
    }

    /// The YAML files in the mounts of a service: paths, and content or parse error.
    pub(crate) fn configurations(&self, service: &Service) -> Vec<(PathBuf, Result<Value, String>)> {
        let files = self.project_mounts(service).into_iter().flat_map(|mount| files_in(&mount.source));
        let yaml =
            files.filter(|path| path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml"));
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).unwrap();
            let value = yaml_serde::from_str(&text).map_err(|error| error.to_string());
            (path, value)
        };
        yaml.map(read).collect()
    }
}

impl Mount {
    /// The path on the host for a path in the container; `None` if it is outside the mount.
    pub(crate) fn on_host(&self, path: &Path) -> Option<PathBuf> {
        let rest = path.strip_prefix(&self.target).ok()?;
        Some(if rest.as_os_str().is_empty() { self.source.clone() } else { self.source.join(rest) })
    }
}

impl Service {
    /// Whether the service restarts when it exits.
    pub(crate) fn is_long_running(&self) -> bool {
        self.restart.as_deref().is_some_and(|restart| restart != "no")
    }

    /// Whether the service has an enabled health check.
    pub(crate) fn has_health_check(&self) -> bool {
        self.healthcheck.as_ref().is_some_and(|check| !check.disable)
    }

    /// All strings of the command, the environment and the health check.
    pub(crate) fn words(&self) -> Vec<&str> {
        let check = self.healthcheck.as_ref().map(|check| &check.test);
        let values =
            [&self.entrypoint, &self.command].into_iter().chain(self.environment.values()).chain(check);
        values.flat_map(texts).collect()
    }
}

/// All strings in a YAML value, at any depth, without keys.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Sequence(sequence) => sequence.iter().flat_map(texts).collect(),
        Value::Mapping(mapping) => mapping.values().flat_map(texts).collect(),
        Value::Tagged(tagged) => texts(&tagged.value),
        _ => Vec::new(),
    }
}

/// All files below a folder, or the file itself.
fn files_in(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()].into_iter().filter(|path| path.is_file()).collect();
    }
    std::fs::read_dir(path).unwrap().flat_map(|entry| files_in(&entry.unwrap().path())).collect()
}

/// Replaces each variable `${NAME:-default}` by its default. A variable must have a default for unset and empty values,
/// because `.env.example` leaves optional variables empty.
fn interpolate(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}').unwrap();
        result += before;
        let default = variable.split_once(":-").ok_or_else(|| format!("{variable} has no default"));
        result += default.unwrap().1;
        rest = after;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_by_their_defaults() {
        assert_eq!(interpolate("a:${TAG:-1.2}-${NONE:-}!"), "a:1.2-!");
    }

    #[test]
    #[should_panic(expected = "TAG has no default")]
    fn a_variable_without_a_default_is_reported() {
        interpolate("a:${TAG}");
    }
}
