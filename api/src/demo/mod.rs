//! The demo: its tenants, its traffic, and the requests that the console offers to try. All requests go through the public
//! port, as those of any client.

mod client;
pub(crate) mod data;
mod traffic;
mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use url::Url;

use self::client::Client;
use self::traffic::Traffic;

pub use client::{CallError, Exchange};
pub use traffic::Operation;
pub use trial::Trial;

/// The demo that this process is. Clones share it.
#[derive(Clone, Debug)]
pub struct Demo(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    client: Client,
    traffic: Traffic,
    tenants: BTreeMap<String, &'static str>,
}

/// What the command `demo` decides.
#[derive(Clone, Debug, Default)]
pub struct DemoSettings {
    /// Whether it begins with traffic of its own.
    pub traffic: bool,
    /// The slugs of the demo's tenants, by their ids. Telemetry has the ids alone.
    pub tenants: BTreeMap<String, &'static str>,
}

impl Demo {
    /// The demo whose API is at `api`.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(api: &Url, settings: DemoSettings) -> anyhow::Result<Self> {
        let DemoSettings { traffic, tenants } = settings;
        Ok(Self(Arc::new(Parts { client: Client::new(api)?, traffic: Traffic::new(traffic), tenants })))
    }

    /// The slugs of the demo's tenants, by their ids.
    #[must_use]
    pub fn tenants(&self) -> &BTreeMap<String, &'static str> {
        &self.0.tenants
    }

    /// Makes traffic while it is switched on, until `stop` is cancelled.
    pub async fn run(&self, stop: &CancellationToken) {
        self.0.traffic.run(&self.0.client, stop).await;
    }

    /// Whether traffic is switched on.
    #[must_use]
    pub fn has_traffic(&self) -> bool {
        self.0.traffic.is_on()
    }

    /// Switches traffic on or off.
    pub fn set_traffic(&self, on: bool) {
        self.0.traffic.set(on);
    }

    /// Repeats an operation for some seconds, so that a profile has samples of it.
    pub fn repeat(&self, operation: Operation, seconds: u8) {
        self.0.traffic.repeat(operation, seconds);
    }

    /// Sends the requests of a trial, one after the other.
    ///
    /// # Errors
    /// When a request gets no response, or the demo's data were changed.
    pub async fn attempt(&self, trial: Trial) -> Result<Vec<Exchange>, CallError> {
        trial.run(&self.0.client).await
    }
}
