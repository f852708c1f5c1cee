//! Reads and clears the injected faults of the service and of the payment-gateway simulator.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::catalogue::Process;
use crate::stack::Addresses;

/// The active faults, for messages.
pub(super) async fn active(addresses: &Addresses) -> Result<Vec<String>> {
    let mut active = Vec::new();
    for process in [Process::Api, Process::Worker] {
        let faults = get(&faults_url(addresses, process)).await?;
        let names = faults["faults"].as_object().into_iter().flatten().map(|(name, _)| name);
        active.extend(names.map(|name| format!("{name} of {}", process.service())));
    }
    let behavior = get(&gateway_control_url(addresses)).await?;
    let settings = behavior.as_object().into_iter().flatten();
    active.extend(
        settings
            .filter(|(_, value)| value.as_f64() != Some(0.0))
            .map(|(name, _)| format!("{name} of the gateway")),
    );
    Ok(active)
}

/// Clears all faults.
pub(super) async fn clear(addresses: &Addresses) -> Result<()> {
    let http = reqwest::Client::new();
    for url in [
        faults_url(addresses, Process::Api),
        faults_url(addresses, Process::Worker),
        gateway_control_url(addresses),
    ] {
        http.delete(&url).send().await?.error_for_status()?;
    }
    Ok(())
}

async fn get(url: &str) -> Result<Value> {
    let response = reqwest::get(url).await?.error_for_status()?;
    response.json().await.with_context(|| format!("the response of {url}"))
}

fn faults_url(addresses: &Addresses, process: Process) -> String {
    format!("http://{}/faults", addresses.management(process))
}

fn gateway_control_url(addresses: &Addresses) -> String {
    format!("http://{}/control", addresses.gateway)
}
