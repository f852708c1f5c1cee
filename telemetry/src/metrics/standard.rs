//! The metrics that every service has.

use prometheus::Error;

use super::allocator::AllocatorMetrics;
use super::telemetry::TelemetryMetrics;
use super::{HttpMetrics, MetricDefinition, Registrar, RuntimeMetrics, process};
use crate::Build;

/// Settings of [`StandardMetrics`].
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardMetricsSettings {
    /// The memory limit of the process, in bytes; `None` takes the container's.
    pub memory_limit: Option<u64>,
    /// The build that `build_info` identifies; `None` leaves the metric out.
    pub build: Option<Build>,
    /// Whether metrics are also exported under the names of OpenTelemetry's semantic conventions.
    pub semconv: bool,
}

/// The metrics that every service has: HTTP requests, the async runtimes, the process with its memory and its build,
/// and dropped telemetry.
#[derive(Clone, Debug)]
pub struct StandardMetrics {
    registrar: Registrar,
    /// HTTP requests.
    pub http: HttpMetrics,
    /// The async runtimes.
    pub runtime: RuntimeMetrics,
    telemetry: TelemetryMetrics,
    allocator: AllocatorMetrics,
}

impl StandardMetrics {
    /// Registers these metrics beside those that the registrar has already, which are the service's own.
    ///
    /// # Errors
    /// When the service has a metric with the name of one of these.
    pub fn new(mut registrar: Registrar, settings: StandardMetricsSettings) -> Result<Self, Error> {
        let all = &mut registrar;
        let http = HttpMetrics::register(all.group("http"), settings.semconv)?;
        let telemetry = TelemetryMetrics::register(all.group("telemetry"))?;
        let runtime = RuntimeMetrics::register(all.group("process"))?;
        let allocator = AllocatorMetrics::register(all)?;
        process::register(all, settings.memory_limit, settings.build)?;
        Ok(Self { registrar, http, runtime, telemetry, allocator })
    }

    /// The definitions of all metrics, with the service's own, by concern.
    #[must_use]
    pub fn definitions(&self) -> &[MetricDefinition] {
        self.registrar.definitions()
    }

    /// All metrics in Prometheus' text format, with the service's own.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn text(&self) -> Result<String, Error> {
        self.telemetry.measure();
        self.runtime.measure();
        self.allocator.measure();
        self.registrar.text()
    }
}
