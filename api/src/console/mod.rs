//! The console: a page on the management interface that shows what this process is doing, and what it has just done. This
//! module has its data; `http::management::console` serves them.
//!
//! Nothing here measures anything of its own: requests and traces are recent telemetry, numbers are those of `/metrics`, faults
//! are those of `/faults`, and alerts are those of a Prometheus.

pub mod alerts;
pub mod traffic;
pub mod what_if;

use std::sync::Arc;
use std::time::Duration;

use glasshouse_telemetry::recent::RecentTelemetry;
use glasshouse_telemetry::service::metrics::Metrics;
use tokio_util::sync::CancellationToken;

use self::alerts::Alerts;
use self::traffic::Traffic;
use crate::config::ConsoleSettings;
use crate::demo::Demo;

/// How often the counters are sampled.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// What the console shows. Clones share it.
#[derive(Clone, Debug)]
pub struct Console(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    recent: RecentTelemetry,
    traffic: Traffic,
    alerts: Option<Alerts>,
    demo: Option<Demo>,
}

impl Console {
    /// A console of this process; `demo` if it is the demo.
    ///
    /// # Errors
    /// When the client of Prometheus cannot be built.
    pub fn new(settings: ConsoleSettings, metrics: &Metrics, demo: Option<Demo>) -> anyhow::Result<Self> {
        let ConsoleSettings { recent, prometheus } = settings;
        let traffic = Traffic::new(metrics.standard.http.clone(), metrics.business.clone());
        let alerts = prometheus.map(Alerts::new).transpose()?;
        Ok(Self(Arc::new(Parts { recent, traffic, alerts, demo })))
    }

    /// The recent traces.
    #[must_use]
    pub fn recent(&self) -> &RecentTelemetry {
        &self.0.recent
    }

    /// The traffic.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// The alerts, if a Prometheus is configured.
    #[must_use]
    pub fn alerts(&self) -> Option<&Alerts> {
        self.0.alerts.as_ref()
    }

    /// The demo, if this process is one.
    #[must_use]
    pub fn demo(&self) -> Option<&Demo> {
        self.0.demo.as_ref()
    }

    /// Samples the counters until `stop` is cancelled.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.0.traffic.sample(),
            }
        }
    }
}
