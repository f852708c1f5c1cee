//! What Alertmanager knows, over its HTTP interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;
use serde::Deserialize;

/// A client of Alertmanager.
#[derive(Clone, Debug)]
pub struct AlertmanagerApi {
    base: String,
    http: reqwest::Client,
}

/// An alert that Alertmanager was told of and that is not over.
#[derive(Clone, Debug, Deserialize)]
pub struct KnownAlert {
    labels: BTreeMap<String, String>,
    status: AlertStatus,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlertStatus {
    inhibited_by: Vec<String>,
    silenced_by: Vec<String>,
}

impl AlertmanagerApi {
    /// The Alertmanager at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), http: reqwest::Client::new() }
    }

    /// All alerts that are not over.
    pub async fn alerts(&self) -> Result<Vec<KnownAlert>> {
        Ok(self.http.get(format!("{}/api/v2/alerts", self.base)).send().await?.json().await?)
    }

    /// How many notifications could not be delivered.
    pub async fn failed_notifications(&self) -> Result<f64> {
        let metrics = self.http.get(format!("{}/metrics", self.base)).send().await?.text().await?;
        let failed =
            metrics.lines().filter(|line| line.starts_with("alertmanager_notifications_failed_total"));
        Ok(failed.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

impl KnownAlert {
    /// Its name.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }

    /// Why it is held back, if it is.
    pub fn held_back(&self) -> Option<&'static str> {
        if !self.status.inhibited_by.is_empty() {
            Some("it is inhibited by another alert")
        } else if !self.status.silenced_by.is_empty() {
            Some("it is silenced")
        } else {
            None
        }
    }
}
