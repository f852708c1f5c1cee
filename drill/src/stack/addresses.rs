//! The addresses on which a stack publishes its servers.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::ports::PortAllocator;
use crate::catalogue::Process;

/// The addresses that a drill sends requests to, all on the loopback interface.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The public HTTP interface of the API.
    pub http: SocketAddr,
    /// The management interfaces, in the order of [`Process::ALL`].
    management: [SocketAddr; 3],
    /// The payment-gateway simulator.
    pub gateway: SocketAddr,
    /// Prometheus.
    pub prometheus: SocketAddr,
    /// Alertmanager.
    pub alertmanager: SocketAddr,
    /// The webhook receiver of notifications.
    pub receiver: SocketAddr,
    /// The REST API of k6 while a scenario runs.
    pub k6: SocketAddr,
}

impl Addresses {
    pub(super) fn allocate(ports: &mut PortAllocator) -> Result<Self> {
        let mut allocate = || ports.allocate().context("an address for the stack");
        Ok(Self {
            http: allocate()?,
            management: [allocate()?, allocate()?, allocate()?],
            gateway: allocate()?,
            prometheus: allocate()?,
            alertmanager: allocate()?,
            receiver: allocate()?,
            k6: allocate()?,
        })
    }

    /// The management interface of a process.
    pub fn management(&self, process: Process) -> SocketAddr {
        self.management[process as usize]
    }
}
