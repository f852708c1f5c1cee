//! Metrics in Prometheus' terms: a struct for each concern, which its adapter holds. The names are an interface that
//! dashboards and alerts depend on; the definition of each is part of the telemetry contract.

mod allocator;
mod business;
mod cache;
mod database;
mod faults;
mod gateway;
mod health;
mod http;
mod labeled;
mod labels;
mod outbox;
mod process;
mod registrar;
mod runtime;
mod telemetry;

pub use business::{BusinessMetrics, ORDER_STATUSES, PAYMENT_OUTCOMES, Sale};
pub use cache::CacheMetrics;
pub use database::DatabaseMetrics;
pub use faults::FaultMetrics;
pub use gateway::GatewayMetrics;
pub use health::HealthMetrics;
pub use http::{HttpMetrics, InFlightRequest};
pub use labeled::{CounterVec, HistogramVec, IntCounterVec, IntGaugeVec, Labeled};
pub use outbox::OutboxMetrics;
pub use prometheus::{Error, Gauge, Histogram, IntCounter, IntGauge};
pub use registrar::{MetricDefinition, Registrar};
pub use runtime::RuntimeMetrics;
pub use telemetry::TelemetryMetrics;

use crate::Build;

/// Settings of the metrics.
#[derive(Clone, Copy, Debug)]
pub struct MetricsSettings {
    /// The maximum number of tenants, and of products, with time series of their own.
    pub label_cap: usize,
    /// The memory limit of the process, in bytes; `None` takes the container's.
    pub memory_limit: Option<u64>,
    /// The build that `build_info` identifies; `None` leaves the metric out.
    pub build: Option<Build>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { label_cap: 200, memory_limit: None, build: None }
    }
}

/// All metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registrar: Registrar,
    /// HTTP requests.
    pub http: HttpMetrics,
    /// Sign-ups, logins, orders, payments and revenue.
    pub business: BusinessMetrics,
    /// Calls to the payment gateway.
    pub gateway: GatewayMetrics,
    /// Database queries, and the connection pool.
    pub database: DatabaseMetrics,
    /// Caches, and the connection pool of Redis.
    pub cache: CacheMetrics,
    /// The outbox and its relay.
    pub outbox: OutboxMetrics,
    /// Health of the dependencies.
    pub health: HealthMetrics,
    /// The async runtimes.
    pub runtime: RuntimeMetrics,
    /// Injected faults.
    pub faults: FaultMetrics,
    /// Telemetry that was lost.
    pub telemetry: TelemetryMetrics,
    allocator: allocator::AllocatorMetrics,
}

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// When a name is not valid or not unique, which is a mistake of this module.
    pub fn new(settings: MetricsSettings) -> Result<Self, Error> {
        let mut registrar = Registrar::default();
        let all = &mut registrar;
        let MetricsSettings { label_cap, memory_limit, build } = settings;
        let tenants = labels::CappedLabel::new(label_cap);
        let mut metrics = Self {
            http: HttpMetrics::register(all.group("http"), tenants.clone())?,
            business: BusinessMetrics::register(all.group("business"), tenants, label_cap)?,
            gateway: GatewayMetrics::register(all.group("payment gateway"))?,
            database: DatabaseMetrics::register(all.group("database"))?,
            cache: CacheMetrics::register(all.group("cache"))?,
            outbox: OutboxMetrics::register(all.group("outbox"))?,
            health: HealthMetrics::register(all.group("health"))?,
            faults: FaultMetrics::register(all.group("faults"))?,
            telemetry: TelemetryMetrics::register(all.group("telemetry"))?,
            runtime: RuntimeMetrics::register(all.group("process"))?,
            allocator: allocator::AllocatorMetrics::register(all)?,
            registrar,
        };
        process::register(metrics.registrar(), memory_limit, build)?;
        Ok(metrics)
    }

    /// Registers further metrics beside these.
    pub const fn registrar(&mut self) -> &mut Registrar {
        &mut self.registrar
    }

    /// The definitions of all metrics.
    #[must_use]
    pub fn definitions(&self) -> &[MetricDefinition] {
        self.registrar.definitions()
    }

    /// All metrics in Prometheus' text format.
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

/// Each event takes the metrics of its concern from here.
macro_rules! as_ref {
    ($($field:ident: $metrics:ty),+ $(,)?) => {
        $(impl AsRef<$metrics> for Metrics {
            fn as_ref(&self) -> &$metrics {
                &self.$field
            }
        })+
    };
}

as_ref!(
    http: HttpMetrics,
    business: BusinessMetrics,
    gateway: GatewayMetrics,
    database: DatabaseMetrics,
    cache: CacheMetrics,
    outbox: OutboxMetrics,
    faults: FaultMetrics,
);
