//! Grafana's data sources, as `grafana/provisioning/datasources` defines them, and how what is ours is called there.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::project::{files, read_yaml};

/// The log lines of all our services, in LogQL: the text of a line is its event, and its fields are labels.
pub const LINES: &str = r#"{service_name=~"glasshouse.*"}"#;

/// Pyroscope's type of profile for time on the CPU.
pub const CPU_TIME: &str = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";

/// A data source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Metrics and exemplars.
    Prometheus,
    /// Log lines.
    Loki,
    /// Traces.
    Tempo,
    /// Profiles.
    Pyroscope,
}

/// The data sources of a folder, each as Grafana is given it.
///
/// # Errors
/// When a file cannot be read, or has no list of data sources.
pub fn provisioned(folder: &Path) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    struct File {
        datasources: Vec<Value>,
    }

    let mut sources = Vec::new();
    for path in files(folder, "yml")? {
        sources.extend(read_yaml::<File>(&path)?.datasources);
    }
    Ok(sources)
}

impl Source {
    /// Its uid.
    pub fn uid(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Loki => "loki",
            Self::Tempo => "tempo",
            Self::Pyroscope => "pyroscope",
        }
    }

    /// How dashboards refer to it: the type of its plugin, and its uid.
    pub fn reference(self) -> Value {
        let kind = match self {
            Self::Pyroscope => "grafana-pyroscope-datasource",
            others => others.uid(),
        };
        json!({ "type": kind, "uid": self.uid() })
    }
}
