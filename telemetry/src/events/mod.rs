//! Events: each is one item with its name, its level, its fields and the metrics that it moves. Here are those that the
//! crate emits itself, in a file for each concern.
//!
//! A call site emits an event, and writes neither a log record nor a metric beside it; [`events!`](crate::events!) says
//! how to declare one.

mod define;
pub mod http;
pub mod panics;
pub mod profiles;
mod value;

use prometheus::core::Collector;
use serde::Serialize;
#[doc(hidden)]
pub use tracing;

pub use value::{Critical, FieldValue};

/// One event of the telemetry contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventDefinition {
    /// The message of the log record, such as `order_placed`.
    pub name: &'static str,
    /// The level of the log record, such as `INFO`.
    pub level: &'static str,
    /// What happened.
    pub description: String,
    /// The names of the log record's own fields.
    pub fields: Vec<&'static str>,
    /// The names of the metrics that the event moves.
    pub metrics: Vec<String>,
    /// The concern that it belongs to, such as `orders`.
    pub group: &'static str,
}

/// Where an event finds the metrics that it moves: in the struct of these metrics itself.
pub trait MetricsHandle<M> {
    /// The metrics; `None` where they are not kept.
    fn metrics(&self) -> Option<&M>;
}

impl<M> MetricsHandle<M> for M {
    fn metrics(&self) -> Option<&M> {
        Some(self)
    }
}

/// The name under which a metric is exported.
#[doc(hidden)]
pub fn metric_name(metric: &impl Collector) -> String {
    metric.desc().first().map(|description| description.fq_name.clone()).unwrap_or_default()
}
