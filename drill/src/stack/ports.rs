//! Allocates free TCP ports.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result};
use rand::RngExt;

/// Below the ephemeral port range of kernels, so that no outgoing connection takes a port while its process is not yet
/// started, or stopped by a drill.
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// Allocates loopback addresses that no process listens on. A process keeps its address when it restarts, because
/// Prometheus has it as a target.
#[derive(Default)]
pub struct PortAllocator {
    allocated: BTreeSet<u16>,
}

impl PortAllocator {
    /// A free address that was not allocated before.
    ///
    /// # Errors
    /// None is found.
    pub fn allocate(&mut self) -> Result<SocketAddr> {
        let mut random = rand::rng();
        for _ in 0..1000 {
            let port = random.random_range(RANGE);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() && self.allocated.insert(port) {
                return Ok(address);
            }
        }
        None.context("no free port was found")
    }
}
