//! `check-health`: a health check for containers without a shell.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::config::{Reader, environment};

/// Asks the process at the management address whether it is ready.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let address = env.or("GLASSHOUSE_MANAGEMENT_ADDR", SocketAddr::from(([127, 0, 0, 1], 9000)));
    let mut address = env.finish(address)?;
    if address.ip().is_unspecified() {
        // It listens everywhere, here too.
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let url = format!("http://{address}/health/ready");
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let response = client.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
    let (status, body) = (response.status(), response.text().await.unwrap_or_default());
    ensure!(status.is_success(), "not ready: {status} {body}");
    Ok(())
}
