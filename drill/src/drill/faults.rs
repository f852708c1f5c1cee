use anyhow::{Context, Result};
use serde_json::Value;

use crate::catalogue::Process;
use crate::stack::Addresses;

/// The faults that are on, for people.
pub(super) async fn left_on(addresses: &Addresses) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for process in [Process::Api, Process::Worker] {
        let faults = get(&faults_of(addresses, process)).await?;
        let names = faults["faults"].as_object().into_iter().flatten().map(|(name, _)| name);
        left.extend(names.map(|name| format!("{name} of {}", process.service())));
    }
    let behaviour = get(&control(addresses)).await?;
    let settings = behaviour.as_object().into_iter().flatten();
    left.extend(
        settings
            .filter(|(_, value)| value.as_f64() != Some(0.0))
            .map(|(name, _)| format!("{name} of the gateway")),
    );
    Ok(left)
}

/// Ends all faults.
pub(super) async fn end_all(addresses: &Addresses) -> Result<()> {
    let http = reqwest::Client::new();
    for url in [faults_of(addresses, Process::Api), faults_of(addresses, Process::Worker), control(addresses)]
    {
        http.delete(&url).send().await?.error_for_status()?;
    }
    Ok(())
}

async fn get(url: &str) -> Result<Value> {
    let answer = reqwest::get(url).await?.error_for_status()?;
    answer.json().await.with_context(|| format!("the answer of {url}"))
}

fn faults_of(addresses: &Addresses, process: Process) -> String {
    format!("http://{}/faults", addresses.management(process))
}

fn control(addresses: &Addresses) -> String {
    format!("http://{}/control", addresses.gateway)
}
