//! Allocates free TCP ports.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context, Result};
use rand::RngExt;

/// Below the ephemeral port range of kernels, so that no outgoing connection takes a port while its process is not yet
/// started, or stopped by a drill. The servers of `scripts/with-test-services` have ports below it.
const RANGE: std::ops::Range<u16> = 25_000..30_000;

/// Allocates loopback addresses that no process listens on. A process keeps its address when it restarts, because
/// Prometheus has it as a target.
///
/// Until the allocator is dropped, no other one on this machine allocates these addresses, also while no process listens on
/// them: it holds the UDP port with the same number.
#[derive(Default)]
pub struct PortAllocator {
    reservations: BTreeMap<u16, UdpSocket>,
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
            let Ok(reservation) = UdpSocket::bind(address) else { continue };
            if TcpListener::bind(address).is_ok() {
                self.reservations.insert(port, reservation);
                return Ok(address);
            }
        }
        None.context("no free port was found")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_reserved_until_its_allocator_is_dropped() {
        let mut ports = PortAllocator::default();
        let address = ports.allocate().unwrap();
        assert!(UdpSocket::bind(address).is_err(), "another allocator can reserve it");
        assert!(TcpListener::bind(address).is_ok(), "its process cannot listen on it");
        drop(ports);
        assert!(UdpSocket::bind(address).is_ok());
    }
}
