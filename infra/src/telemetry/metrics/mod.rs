//! Metrics in Prometheus' terms. Each concern has a struct of its own, which its adapter holds; the names are
//! an interface that dashboards and alerts depend on.

#[cfg(feature = "heap-profiling")]
mod allocator;
mod business;
mod cache;
mod database;
mod define;
mod gateway;
mod http;
mod labels;
mod outbox;
mod process;
mod telemetry;

pub use business::BusinessMetrics;
pub use cache::CacheMetrics;
pub use database::DatabaseMetrics;
pub use gateway::GatewayMetrics;
pub use http::HttpMetrics;
pub use outbox::OutboxMetrics;
pub use telemetry::TelemetryMetrics;

use prometheus::{Registry, TextEncoder};

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
    /// Telemetry itself.
    pub telemetry: TelemetryMetrics,
    #[cfg(feature = "heap-profiling")]
    allocator: allocator::AllocatorMetrics,
}

impl Metrics {
    /// Registers all metrics. At most `label_cap` tenants, and as many products, have series of their own.
    ///
    /// # Errors
    /// When two metrics have one name, which is a mistake of this module.
    pub fn new(label_cap: usize) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let tenants = labels::CappedLabel::new(label_cap);
        process::register(&registry)?;
        Ok(Self {
            http: HttpMetrics::register(&registry, tenants.clone())?,
            business: BusinessMetrics::register(&registry, tenants, label_cap)?,
            gateway: GatewayMetrics::register(&registry)?,
            database: DatabaseMetrics::register(&registry)?,
            cache: CacheMetrics::register(&registry)?,
            outbox: OutboxMetrics::register(&registry)?,
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
        #[cfg(feature = "heap-profiling")]
        self.allocator.measure();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
