//! Grafana's data sources as `grafana/provisioning/datasources` defines them, and the selectors and types that queries
//! of the service's telemetry have in common.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::project::{files, read_yaml};

/// The LogQL selector of the log records of all our services. The line of a record is its event name; its fields are
/// structured metadata.
pub const LOG_RECORDS: &str = r#"{service_name=~"glasshouse.*"}"#;

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

impl DataSource {
    /// The uid, by which links and the proxy of Grafana refer to the data source.
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
