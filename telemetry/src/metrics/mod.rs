//! Metrics in Prometheus' terms. Each concern has a struct of its own, which its adapter holds; the names are
//! an interface that dashboards and alerts depend on.

#[cfg(feature = "heap-profiling")]
mod allocator;
mod business;
mod cache;
mod database;
mod define;
mod faults;
mod gateway;
mod health;
mod http;
mod labels;
mod outbox;
mod process;
mod runtime;
mod telemetry;

pub use business::{BusinessMetrics, ORDER_STATUSES, PAYMENT_OUTCOMES};
pub use cache::CacheMetrics;
pub use database::DatabaseMetrics;
pub use faults::FaultMetrics;
pub use gateway::GatewayMetrics;
pub use health::HealthMetrics;
pub use http::HttpMetrics;
pub use outbox::OutboxMetrics;
pub use runtime::RuntimeMetrics;
pub use telemetry::TelemetryMetrics;

use prometheus::{Registry, TextEncoder};

/// What metrics have to be told.
#[derive(Clone, Copy, Debug)]
pub struct MetricsSettings {
    /// The most tenants, and products, that have time series of their own.
    pub label_cap: usize,
    /// The most memory that the process may use, in bytes; the container's limit if it is absent.
    pub memory_limit: Option<u64>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { label_cap: 200, memory_limit: None }
    }
}

/// All metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests.
    pub http: HttpMetrics,
    /// What tenants and their customers do.
    pub business: BusinessMetrics,
    /// Calls to the payment gateway.
    pub gateway: GatewayMetrics,
    /// The database and its pool.
    pub database: DatabaseMetrics,
    /// The cache, and Redis behind it.
    pub cache: CacheMetrics,
    /// Messages that wait for delivery.
    pub outbox: OutboxMetrics,
    /// The parts that the process depends on.
    pub health: HealthMetrics,
    /// The async runtimes.
    pub runtime: RuntimeMetrics,
    /// Faults that were injected.
    pub faults: FaultMetrics,
    /// Telemetry itself.
    pub telemetry: TelemetryMetrics,
    #[cfg(feature = "heap-profiling")]
    allocator: allocator::AllocatorMetrics,
}

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// When two metrics have one name, which is a mistake of this module.
    pub fn new(settings: MetricsSettings) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let MetricsSettings { label_cap, memory_limit } = settings;
        let tenants = labels::CappedLabel::new(label_cap);
        process::register(&registry, memory_limit)?;
        Ok(Self {
            http: HttpMetrics::register(&registry, tenants.clone())?,
            business: BusinessMetrics::register(&registry, tenants, label_cap)?,
            gateway: GatewayMetrics::register(&registry)?,
            database: DatabaseMetrics::register(&registry)?,
            cache: CacheMetrics::register(&registry)?,
            outbox: OutboxMetrics::register(&registry)?,
            health: HealthMetrics::register(&registry)?,
            runtime: RuntimeMetrics::register(&registry)?,
            faults: FaultMetrics::register(&registry)?,
            telemetry: TelemetryMetrics::register(&registry)?,
            #[cfg(feature = "heap-profiling")]
            allocator: allocator::AllocatorMetrics::register(&registry)?,
            registry,
        })
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When a metric cannot be written, which none of ours does.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        self.telemetry.measure();
        self.runtime.measure();
        #[cfg(feature = "heap-profiling")]
        self.allocator.measure();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
