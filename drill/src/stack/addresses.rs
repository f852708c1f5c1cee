//! The addresses on which a stack publishes its servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::ports::PortAllocator;
use crate::project::Project;
use crate::template::Values;

/// The addresses that a drill sends requests to, all on the loopback interface.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// The ports of the service's processes, as `NAME.PORT`.
    pub(super) ports: BTreeMap<String, SocketAddr>,
    /// Prometheus.
    pub(super) prometheus: SocketAddr,
    /// Alertmanager.
    pub(super) alertmanager: SocketAddr,
    /// The webhook receiver of notifications.
    pub(super) receiver: SocketAddr,
    /// The REST API of k6 while a scenario runs.
    pub(super) k6: SocketAddr,
}

impl Addresses {
    pub(super) fn allocate(project: &Project, ports: &mut PortAllocator) -> Result<Self> {
        let mut allocate = || ports.allocate().context("an address for the stack");
        let names = project.config().ports();
        Ok(Self {
            ports: names.map(|name| Ok((name, allocate()?))).collect::<Result<_>>()?,
            prometheus: allocate()?,
            alertmanager: allocate()?,
            receiver: allocate()?,
            k6: allocate()?,
        })
    }

    /// A port of the service, as `NAME.PORT`.
    pub(super) fn port(&self, name: &str) -> Result<SocketAddr> {
        self.ports.get(name).copied().with_context(|| format!("no port {name}"))
    }

    /// The values of the placeholders that are addresses.
    pub(super) fn values(&self) -> Values {
        let mut values = Values::default();
        self.ports.iter().for_each(|(name, address)| values.set(name, address));
        values.set("prometheus", self.prometheus);
        values.set("alertmanager", self.alertmanager);
        values.set("receiver", self.receiver);
        values
    }
}
