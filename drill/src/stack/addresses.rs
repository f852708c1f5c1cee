use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::ports::Ports;
use crate::catalogue::Process;

/// Where everything listens that a drill asks, on this machine's loopback address.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The public interface of the API.
    pub http: SocketAddr,
    /// The management interfaces.
    pub management: [SocketAddr; 3],
    /// The payment gateway.
    pub gateway: SocketAddr,
    /// Prometheus.
    pub prometheus: SocketAddr,
    /// Alertmanager.
    pub alertmanager: SocketAddr,
    /// The receiver of notifications.
    pub receiver: SocketAddr,
    /// The interface that k6 has while it runs.
    pub k6: SocketAddr,
}

impl Addresses {
    pub(super) fn free(ports: &mut Ports) -> Result<Self> {
        let mut free = || ports.free().context("an address for the stack");
        Ok(Self {
            http: free()?,
            management: [free()?, free()?, free()?],
            gateway: free()?,
            prometheus: free()?,
            alertmanager: free()?,
            receiver: free()?,
            k6: free()?,
        })
    }

    /// The management interface of a process.
    pub fn management(&self, process: Process) -> SocketAddr {
        self.management[process as usize]
    }
}
