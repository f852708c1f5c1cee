//! A client of Alertmanager's HTTP API.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;
use serde::Deserialize;
use url::Url;

/// A client of one Alertmanager.
#[derive(Clone, Debug)]
pub struct AlertmanagerApi {
    base: String,
    http: reqwest::Client,
}

/// An unresolved alert that Alertmanager has received.
#[derive(Clone, Debug, Deserialize)]
pub struct ReceivedAlert {
    labels: BTreeMap<String, String>,
    status: Suppression,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suppression {
    inhibited_by: Vec<String>,
    silenced_by: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version_info: VersionInfo,
}

#[derive(Deserialize)]
struct VersionInfo {
    version: String,
}

impl AlertmanagerApi {
    /// A client of the Alertmanager at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), http: reqwest::Client::new() }
    }

    /// A client of the Alertmanager at this URL, which may have a path.
    pub fn at(url: &Url) -> Self {
        Self { base: url.as_str().trim_end_matches('/').to_owned(), http: reqwest::Client::new() }
    }

    /// The version of the server.
    pub async fn version(&self) -> Result<String> {
        let url = format!("{}/api/v2/status", self.base);
        Ok(self.http.get(url).send().await?.json::<Status>().await?.version_info.version)
    }

    /// The page with the alerts and silences. Debian's package has none, but a page of text that says so: for it, the command that
    /// shows them.
    pub async fn alerts_page(&self) -> String {
        let page = async { self.http.get(format!("{}/", self.base)).send().await?.text().await };
        match page.await {
            Ok(page) if page.contains("<script") => format!("{}/#/alerts", self.base),
            _ => format!("amtool --alertmanager.url={} alert query", self.base),
        }
    }

    /// All unresolved alerts; none if it cannot be reached, because a drill may have stopped it.
    pub async fn alerts(&self) -> Result<Vec<ReceivedAlert>> {
        let Ok(response) = self.http.get(format!("{}/api/v2/alerts", self.base)).send().await else {
            return Ok(Vec::new());
        };
        Ok(response.json().await?)
    }

    /// The number of failed notifications since the start of Alertmanager.
    pub async fn failed_notifications(&self) -> Result<f64> {
        let metrics = self.http.get(format!("{}/metrics", self.base)).send().await?.text().await?;
        let failed =
            metrics.lines().filter(|line| line.starts_with("alertmanager_notifications_failed_total"));
        Ok(failed.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

impl ReceivedAlert {
    /// The name of the alert; empty if the label `alertname` is missing.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }

    /// The reason why Alertmanager sends no notification; `None` if the alert is not suppressed.
    pub fn suppression(&self) -> Option<&'static str> {
        if !self.status.inhibited_by.is_empty() {
            Some("it is inhibited by another alert")
        } else if !self.status.silenced_by.is_empty() {
            Some("it is silenced")
        } else {
            None
        }
    }
}
