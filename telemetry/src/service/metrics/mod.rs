//! The metrics of Glasshouse: a struct for each concern, which its adapter holds. The names are an interface that
//! dashboards and alerts depend on; the definition of each is part of the telemetry contract.

mod admission;
mod business;
mod cache;
mod connections;
mod database;
mod faults;
mod health;
mod outbound;
mod outbox;
mod pool;
mod tenants;
mod worker;

pub use admission::AdmissionMetrics;
pub use business::{BusinessMetrics, ORDER_STATUSES, PAYMENT_OUTCOMES, Sale};
pub use cache::CacheMetrics;
pub use connections::ConnectionMetrics;
pub use database::{DatabaseMetrics, Operation};
pub use faults::FaultMetrics;
pub use health::HealthMetrics;
pub use outbound::{Attempt, CircuitBreakerMetrics, OutboundMetrics};
pub use outbox::OutboxMetrics;
pub use worker::WorkerMetrics;

use crate::metrics::{
    CappedLabel, Error, HttpMetrics, MetricDefinition, Registrar, StandardMetrics, StandardMetricsSettings,
    semconv,
};

/// Settings of the metrics.
#[derive(Clone, Copy, Debug)]
pub struct MetricsSettings {
    /// The maximum number of tenants, and of products, with time series of their own: the most active ones.
    pub label_cap: usize,
    /// Settings of the metrics that every service has.
    pub standard: StandardMetricsSettings,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { label_cap: 100, standard: StandardMetricsSettings::default() }
    }
}

/// All metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// What every service measures: HTTP requests, the async runtimes and the process.
    pub standard: StandardMetrics,
    /// Requests by tenant, and rejected requests.
    pub admission: AdmissionMetrics,
    /// Connections to the public server.
    pub connections: ConnectionMetrics,
    /// Sign-ups, logins, orders, payments and revenue.
    pub business: BusinessMetrics,
    /// Calls of the payment gateway.
    pub payment_gateway: OutboundMetrics,
    /// Database queries, and the connection pool.
    pub database: DatabaseMetrics,
    /// Caches, and the connection pool of Redis.
    pub cache: CacheMetrics,
    /// The circuit breaker of Redis.
    pub redis_breaker: CircuitBreakerMetrics,
    /// The outbox and its relay.
    pub outbox: OutboxMetrics,
    /// The background jobs.
    pub worker: WorkerMetrics,
    /// Health of the dependencies.
    pub health: HealthMetrics,
    /// Injected faults.
    pub faults: FaultMetrics,
}

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// When a name is not valid or not unique, which is a mistake of this module.
    pub fn new(settings: MetricsSettings) -> Result<Self, Error> {
        let mut registrar = Registrar::default();
        let all = &mut registrar;
        let MetricsSettings { label_cap, standard } = settings;
        let tenants = CappedLabel::new(label_cap);
        let third_party_requests = semconv::client_duration(all.group("payment gateway"), standard.semconv)?;
        Ok(Self {
            admission: AdmissionMetrics::register(all.group("http"), tenants.clone())?,
            connections: ConnectionMetrics::register(all.group("http"))?,
            business: BusinessMetrics::register(all.group("business"), tenants, label_cap)?,
            payment_gateway: OutboundMetrics::register(
                all.group("payment gateway"),
                "payment_gateway",
                &["charge", "find", "void", "refund"],
                third_party_requests,
            )?,
            database: DatabaseMetrics::register(all.group("database"), standard.semconv)?,
            cache: CacheMetrics::register(all.group("cache"))?,
            redis_breaker: CircuitBreakerMetrics::register(all.group("cache"), "redis")?,
            outbox: OutboxMetrics::register(all.group("outbox"))?,
            worker: WorkerMetrics::register(all.group("worker"))?,
            health: HealthMetrics::register(all.group("health"))?,
            faults: FaultMetrics::register(all.group("faults"))?,
            standard: StandardMetrics::new(registrar, standard)?,
        })
    }

    /// The definitions of all metrics, by concern.
    #[must_use]
    pub fn definitions(&self) -> &[MetricDefinition] {
        self.standard.definitions()
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn text(&self) -> Result<String, Error> {
        self.standard.text()
    }
}

/// Each event takes the metrics of its concern from here.
macro_rules! as_ref {
    ($($($field:ident).+: $metrics:ty),+ $(,)?) => {
        $(impl AsRef<$metrics> for Metrics {
            fn as_ref(&self) -> &$metrics {
                &self.$($field).+
            }
        })+
    };
}

as_ref!(
    standard.http: HttpMetrics,
    business: BusinessMetrics,
    admission: AdmissionMetrics,
    payment_gateway.breaker: CircuitBreakerMetrics,
    database: DatabaseMetrics,
    cache: CacheMetrics,
    outbox: OutboxMetrics,
    faults: FaultMetrics,
);
