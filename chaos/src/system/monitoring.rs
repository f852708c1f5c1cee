//! What operators have of the system: a Prometheus with the project's rules that scrapes all processes, and a receiver of
//! their spans.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use glasshouse_drill::project::Project;
use glasshouse_drill::prometheus_api::PrometheusApi;
use glasshouse_drill::stack::{Child, Collector, Output, PortAllocator, PrometheusOptions, Spans};

use super::{Replica, Role};

/// The divisor of the durations in rules and configuration: a window of two minutes is two seconds, which is less than a fault
/// lasts, and processes are scraped every quarter of a second.
const SPEED: &str = "60";
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The receiver of spans.
pub(super) struct Tracing {
    address: SocketAddr,
    spans: Spans,
    _collector: Collector,
}

/// A running Prometheus, and the received spans.
pub(crate) struct Monitoring {
    pub(crate) prometheus: PrometheusApi,
    pub(crate) spans: Spans,
    _server: Child,
    _tracing: Tracing,
}

impl Tracing {
    pub(super) fn start(ports: &mut PortAllocator) -> Result<Self> {
        let (address, spans) = (ports.allocate()?, Spans::default());
        let collector = Collector::start(address, spans.clone())?;
        Ok(Self { address, spans, _collector: collector })
    }

    /// Where processes export their spans to.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Monitoring {
    /// Starts Prometheus with the rules of the project.
    pub(super) async fn start<'a>(
        folder: &Path,
        project: &Project,
        tracing: Tracing,
        replicas: impl Iterator<Item = &'a Replica>,
        ports: &mut PortAllocator,
    ) -> Result<Self> {
        let targets: Vec<_> =
            replicas.map(|replica| (replica.role().service(), vec![replica.management()])).collect();
        let address = ports.allocate()?;
        let speed = SPEED.parse().map_err(anyhow::Error::msg)?;
        let options = PrometheusOptions {
            project,
            speed,
            address,
            targets: &targets,
            others: None,
            alertmanager: None,
        };
        let mut server = options.spec(folder)?.spawn(Output::default())?;
        let url = format!("http://{address}/-/ready");
        let is_ready = async || reqwest::get(&url).await.is_ok_and(|response| response.status().is_success());
        server.wait_until_ready(START_TIMEOUT, is_ready).await.context("Prometheus")?;
        let (prometheus, spans) = (PrometheusApi::new(address), tracing.spans.clone());
        Ok(Self { prometheus, spans, _server: server, _tracing: tracing })
    }
}

impl Role {
    /// The service name in log records and spans, which is also the job in Prometheus.
    pub(crate) const fn service(self) -> &'static str {
        match self {
            // The demo is an API too. It has faults of its own, and no Prometheus.
            Self::Api | Self::Demo => "glasshouse-api",
            Self::Worker => "glasshouse-worker",
            Self::Gateway => "glasshouse-gateway",
        }
    }
}
