//! Grafana's data sources, as `grafana/provisioning/datasources` defines them, and how what is ours is called there.

use serde_json::{Value, json};

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
