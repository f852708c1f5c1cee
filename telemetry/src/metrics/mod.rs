//! Metrics in Prometheus' terms: those that every service has, and what a service needs to register its own.

mod allocator;
mod http;
mod labeled;
mod labels;
mod process;
mod process_io;
mod registrar;
mod runtime;
pub mod semconv;
mod standard;
mod telemetry;

pub use http::{EndpointTotals, HttpMetrics, HttpTotals, InFlightRequest, UNKNOWN_ENDPOINT};
pub use labeled::{CounterVec, HistogramVec, IntCounterVec, IntGaugeVec, Labeled};
pub use labels::{Capped, CappedLabel};
pub use prometheus::{Error, Gauge, Histogram, IntCounter, IntGauge};
pub use registrar::{BUCKETS, MetricDefinition, Registrar};
pub use runtime::RuntimeMetrics;
pub use standard::{StandardMetrics, StandardMetricsSettings};
