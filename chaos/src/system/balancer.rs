//! The load balancer in front of the APIs: HAProxy, if it is installed.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use glasshouse_drill::polling::poll_until;
use glasshouse_drill::stack::{Child, Output, ProcessSpec};

/// A load balancer that sends requests to the APIs that are ready.
pub(crate) struct Balancer {
    address: SocketAddr,
    _child: Child,
}

const TIMEOUT: Duration = Duration::from_secs(20);

impl Balancer {
    /// Starts HAProxy at `address`; `None` if it is not installed.
    pub(super) async fn start(
        folder: &Path,
        address: SocketAddr,
        apis: &[SocketAddr],
    ) -> Result<Option<Self>> {
        // Debian installs it where only root finds it.
        let Ok(spec) = ProcessSpec::installed("haproxy", &["haproxy", "../sbin/haproxy"]) else {
            return Ok(None);
        };
        let path = folder.join("haproxy.cfg");
        fs::write(&path, configuration(address, apis))?;
        let output = Output::default();
        let child = spec.argument("-f").argument(&path).spawn(output.clone())?;
        let url = format!("http://{address}/health/ready");
        let is_ready = poll_until(TIMEOUT, async || {
            let response = reqwest::get(&url).await;
            Ok(response.is_ok_and(|response| response.status().is_success()).then_some(()))
        });
        is_ready.await?.with_context(|| format!("HAProxy does not start:\n{}", output.tail(20)))?;
        Ok(Some(Self { address, _child: child }))
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// What a service of this kind is given in production: health checks more often than the drain time of a shutdown, and
/// another server if one refuses the connection. Nothing that has reached a server is sent again. A check may take long:
/// a process on a busy machine is not unavailable.
fn configuration(address: SocketAddr, apis: &[SocketAddr]) -> String {
    let servers: String =
        (1..).zip(apis).map(|(number, api)| format!("    server api{number} {api}\n")).collect();
    format!(
        "defaults\n    mode http\n    timeout connect 1s\n    timeout check 2s\n    \
             timeout client 30s\n    timeout server 30s\n    option redispatch 1\n    retries 2\n\
         frontend public\n    bind {address}\n    default_backend apis\n\
         backend apis\n    option httpchk GET /health/ready\n    \
             default-server check inter 100ms fall 1 rise 1\n{servers}"
    )
}
