//! A stack that runs already. A drill observes it, and neither starts nor stops any of its components.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use url::Url;

use super::ports::PortAllocator;
use super::scenario::{LocalScenarios, ScenarioCommand};
use super::telemetry_stores::TelemetryStores;
use crate::project::Project;
use crate::receiver::{DEFAULT_TIMEOUT, Receiver, ReceiverApi, Runbooks};
use crate::speed::Speed;
use crate::stack::platform::AttachedOptions;
use crate::template::Values;

/// A stack that runs already.
pub(super) struct AttachedStack {
    scenarios: LocalScenarios,
    stores: TelemetryStores,
    /// The receiver of the drill, unless another one listens.
    _receiver: Option<Receiver>,
}

impl AttachedStack {
    /// Checks that the stack can be reached. `values` are those of its placeholders.
    pub(super) async fn attach(
        project: &Project,
        speed: Speed,
        options: &AttachedOptions,
        values: &mut Values,
        ports: &mut PortAllocator,
    ) -> Result<Self> {
        for (name, url) in [
            ("prometheus", &options.prometheus),
            ("alertmanager", &options.alertmanager),
            ("receiver", &options.receiver),
        ] {
            values.set(name, authority(url));
        }
        options.ports.iter().for_each(|(name, address)| values.set(name, address));
        for (name, url) in [("Prometheus", &options.prometheus), ("Alertmanager", &options.alertmanager)] {
            let ready = format!("{}/-/ready", url.as_str().trim_end_matches('/'));
            let response = reqwest::get(&ready).await.and_then(reqwest::Response::error_for_status);
            response.with_context(|| format!("{name} at {url}"))?;
        }
        let receiver = match ReceiverApi::at(&options.receiver).is_reachable().await {
            true => None,
            false => Some(listen(&options.receiver, speed, project).await?),
        };
        let scenarios = LocalScenarios::new(project, speed, options.k6.clone(), ports.allocate()?, values)?;
        let stores = TelemetryStores {
            tempo: options.tempo.clone(),
            loki: options.loki.clone(),
            http: reqwest::Client::new(),
        };
        Ok(Self { scenarios, stores, _receiver: receiver })
    }

    pub(super) fn stores(&self) -> &TelemetryStores {
        &self.stores
    }

    pub(super) fn scenario_command(
        &self,
        project: &Project,
        scenario: &str,
        duration: Option<Duration>,
    ) -> Result<ScenarioCommand> {
        self.scenarios.command(project, scenario, duration)
    }
}

/// Host and port of a URL.
fn authority(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// Listens where Alertmanager delivers to.
async fn listen(url: &Url, speed: Speed, project: &Project) -> Result<Receiver> {
    let address: Option<SocketAddr> = authority(url).parse().ok();
    let address = address.with_context(|| {
        format!("no receiver answers at {url}: run `drill receiver` there. It needs an address of this machine, such as 127.0.0.1:9094")
    })?;
    Receiver::start(address, speed.divide(DEFAULT_TIMEOUT), Runbooks::of(project)).await
}
