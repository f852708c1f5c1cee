//! A client of the receiver, for drills.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;
use time::OffsetDateTime;
use url::Url;

use super::store::{AlertStatus, Delivery};
use super::switch::Heartbeat;

/// A client of one receiver.
#[derive(Clone, Debug)]
pub struct ReceiverApi {
    base: String,
    http: reqwest::Client,
}

/// Deliveries, from oldest to newest.
#[derive(Clone, Debug, Default)]
pub struct Deliveries(Vec<Delivery>);

impl ReceiverApi {
    /// A client of the receiver at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), http: reqwest::Client::new() }
    }

    /// A client of the receiver at this URL.
    pub fn at(url: &Url) -> Self {
        Self { base: url.as_str().trim_end_matches('/').to_owned(), http: reqwest::Client::new() }
    }

    /// Whether the receiver answers.
    pub async fn is_reachable(&self) -> bool {
        self.get("deliveries").await.is_ok_and(|response| response.status().is_success())
    }

    /// Whether the alert that always fires has arrived since this time, at the dead man's switch or like any other alert. Also if the
    /// receiver cannot be reached, so that a drill reports its alert as not delivered.
    pub async fn has_arrived(&self, alert: &str, since: OffsetDateTime) -> Result<bool> {
        let Ok(response) = self.get("heartbeat").await else { return Ok(true) };
        if response.status().is_success() {
            let Heartbeat { last_received_at, .. } = response.json().await?;
            if last_received_at.is_some_and(|last| last >= since) {
                return Ok(true);
            }
        }
        Ok(self.deliveries().await?.has_firing(alert, since))
    }

    /// All deliveries that the receiver holds; none if it cannot be reached, so that a drill reports the alert as not
    /// delivered.
    pub async fn deliveries(&self) -> Result<Deliveries> {
        let Ok(response) = self.get("deliveries").await else { return Ok(Deliveries::default()) };
        let mut deliveries: Vec<Delivery> = response.error_for_status()?.json().await?;
        deliveries.reverse(); // the receiver lists the newest first
        Ok(Deliveries(deliveries))
    }

    async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(format!("{}/{path}", self.base)).send().await
    }
}

impl Deliveries {
    /// Whether an alert with this name was delivered as firing since this time.
    pub fn has_firing(&self, alert: &str, since: OffsetDateTime) -> bool {
        self.of(alert, since).any(|delivery| delivery.status == AlertStatus::Firing)
    }

    /// Whether the dead man's switch has reported since this time that this alert, which always fires, stays away.
    pub fn has_missing(&self, alert: &str, since: OffsetDateTime) -> bool {
        self.of(alert, since).any(|delivery| delivery.status == AlertStatus::Missing)
    }

    /// Whether at least one alert with this name was delivered since this time, and the last delivery of each is resolved.
    pub fn has_resolved(&self, alert: &str, since: OffsetDateTime) -> bool {
        let last: BTreeMap<_, _> =
            self.of(alert, since).map(|delivery| (&delivery.fingerprint, delivery.status)).collect();
        !last.is_empty() && last.values().all(|status| *status == AlertStatus::Resolved)
    }

    fn of(&self, alert: &str, since: OffsetDateTime) -> impl Iterator<Item = &Delivery> {
        self.0.iter().filter(move |delivery| delivery.alert == alert && delivery.received_at >= since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn delivery(fingerprint: &str, status: AlertStatus) -> Delivery {
        Delivery {
            received_at: OffsetDateTime::now_utc(),
            status,
            alert: "A".to_owned(),
            severity: String::new(),
            service: String::new(),
            summary: String::new(),
            description: String::new(),
            runbook_url: String::new(),
            dashboard_url: String::new(),
            expression_url: String::new(),
            starts_at: OffsetDateTime::now_utc(),
            fingerprint: fingerprint.to_owned(),
        }
    }

    #[test]
    fn an_alert_is_resolved_when_all_its_instances_are() {
        let start = OffsetDateTime::now_utc();
        let mut deliveries = Deliveries::default();
        assert!(!deliveries.has_firing("A", start) && !deliveries.has_resolved("A", start));
        let (first, second) = (delivery("1", AlertStatus::Firing), delivery("2", AlertStatus::Firing));
        deliveries.0.extend([first, second, delivery("1", AlertStatus::Resolved)]);
        assert!(deliveries.has_firing("A", start) && !deliveries.has_resolved("A", start));
        assert!(!deliveries.has_firing("B", start));
        deliveries.0.push(delivery("2", AlertStatus::Resolved));
        assert!(deliveries.has_resolved("A", start));
        let later = OffsetDateTime::now_utc() + Duration::from_secs(1);
        assert!(!deliveries.has_firing("A", later) && !deliveries.has_resolved("A", later));
    }

    #[tokio::test]
    async fn a_receiver_that_is_down_has_no_deliveries() {
        let receiver = crate::receiver::Receiver::start(
            "127.0.0.1:0".parse().unwrap(),
            crate::receiver::DEFAULT_TIMEOUT,
            crate::receiver::Runbooks::default(),
        )
        .await
        .unwrap();
        let api = ReceiverApi::new(receiver.address());
        let webhook = format!("http://{}/webhook", receiver.address());
        let notification = reqwest::Client::new().post(webhook).header("Content-Type", "application/json");
        assert!(notification.body(NOTIFICATION).send().await.unwrap().status().is_success());
        let start = OffsetDateTime::UNIX_EPOCH;
        assert!(api.deliveries().await.unwrap().has_firing("A", start));
        receiver.stop().await;
        assert!(!api.deliveries().await.unwrap().has_firing("A", start));
    }

    const NOTIFICATION: &str = r#"{ "alerts": [{
        "status": "firing", "labels": { "alertname": "A" }, "startsAt": "2026-11-23T06:00:00Z", "fingerprint": "1"
    }] }"#;
}
