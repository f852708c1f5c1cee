//! Grafana's data sources as its provisioning files define them.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::project::{files, read_yaml};

/// Pyroscope's profile type for CPU time.
pub const CPU_TIME: &str = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";

/// A data source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// Metrics and exemplars.
    Prometheus,
    /// Log records.
    Loki,
    /// Traces.
    Tempo,
    /// Profiles.
    Pyroscope,
}

/// The definitions of all data sources in a folder of provisioning files.
///
/// # Errors
/// A file cannot be read, or has no list of data sources.
pub fn provisioned(folder: &Path) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    struct ProvisioningFile {
        datasources: Vec<Value>,
    }

    let mut sources = Vec::new();
    for path in files(folder, "yml")? {
        sources.extend(read_yaml::<ProvisioningFile>(&path)?.datasources);
    }
    Ok(sources)
}

/// The data sources of one Grafana: the uids by which links and its proxy refer to them.
#[derive(Clone, Debug)]
pub struct Uids(Vec<(DataSource, String)>);

impl Uids {
    /// The first of each type in provisioning files.
    pub fn of(sources: &[Value]) -> Self {
        let all = [DataSource::Prometheus, DataSource::Loki, DataSource::Tempo, DataSource::Pyroscope];
        let found = all.into_iter().filter_map(|kind| {
            let source = sources.iter().find(|source| source["type"] == kind.plugin())?;
            Some((kind, source["uid"].as_str()?.to_owned()))
        });
        Self(found.collect())
    }

    /// The uid of a data source.
    ///
    /// # Errors
    /// There is none of this type, or it has no fixed uid.
    pub fn get(&self, source: DataSource) -> Result<&str> {
        let found = self.0.iter().find(|(kind, _)| *kind == source).map(|(_, uid)| uid.as_str());
        found.with_context(|| {
            format!("the provisioned data sources have none of type {} with a uid", source.plugin())
        })
    }
}

impl DataSource {
    /// The uid that Glasshouse's provisioning gives to the data source.
    pub fn uid(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Loki => "loki",
            Self::Tempo => "tempo",
            Self::Pyroscope => "pyroscope",
        }
    }

    /// The type of its plugin in Grafana.
    pub fn plugin(self) -> &'static str {
        match self {
            Self::Pyroscope => "grafana-pyroscope-datasource",
            others => others.uid(),
        }
    }

    /// The name of the variable by which a dashboard refers to it, so that the dashboard works in any Grafana.
    pub fn variable(self) -> String {
        format!("{}_datasource", self.uid())
    }

    /// The reference in a dashboard: the plugin type and the variable.
    pub fn reference(self) -> Value {
        json!({ "type": self.plugin(), "uid": format!("${{{}}}", self.variable()) })
    }
}
