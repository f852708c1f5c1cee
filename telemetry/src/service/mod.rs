//! The metrics and events of this service, Glasshouse. No other module of the crate depends on them: another service
//! replaces this folder by its own.

pub mod events;
pub mod metrics;

use crate::contract::Contract;
use crate::metrics::Error;
use metrics::{Metrics, MetricsSettings};

/// The telemetry contract of the service, with what every service has.
///
/// # Errors
/// When a metric cannot be registered, which is a mistake of [`metrics`].
pub fn contract() -> Result<Contract, Error> {
    let metrics = Metrics::new(MetricsSettings::default())?;
    Ok(Contract { metrics: metrics.definitions().to_vec(), events: events::definitions(&metrics) })
}
