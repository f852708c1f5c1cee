//! `check-health`: the health check of a container without a shell.

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::config::read_management_address;
use crate::environment::{Reader, environment};

/// Requests `/health/ready` from the management address of another process.
///
/// It has no telemetry of its own. It runs every few seconds with the settings of the process that it checks: it would export as that
/// process, and take as long to end as a receiver that does not respond lets it.
pub(crate) fn run() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(check())
}

async fn check() -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let address = read_management_address(&mut env);
    let url = format!("http://{}/health/ready", env.finish(Some(address))?.local());
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let response = client.get(&url).send().await.with_context(|| format!("no response from {url}"))?;
    let (status, body) = (response.status(), response.text().await.unwrap_or_default());
    ensure!(status.is_success(), "not ready: {status} {body}");
    Ok(())
}
