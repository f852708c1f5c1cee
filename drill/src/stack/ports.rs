use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result};
use rand::RngExt;

/// Below the ports that kernels hand out for outgoing connections: none of those can take one of ours
/// between here and the start of its process, nor while a drill has stopped it.
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// Addresses of this machine that nobody listens on. A process that is stopped and started again keeps its
/// address, so that Prometheus finds it again.
#[derive(Default)]
pub(super) struct Ports {
    given: BTreeSet<u16>,
}

impl Ports {
    /// An address that was not given before.
    pub(super) fn free(&mut self) -> Result<SocketAddr> {
        let mut random = rand::rng();
        for _ in 0..1000 {
            let port = random.random_range(RANGE);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() && self.given.insert(port) {
                return Ok(address);
            }
        }
        None.context("no free port was found")
    }
}
