use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;
use time::OffsetDateTime;

use super::{Delivery, Status};

/// What a receiver has got, over its HTTP interface.
#[derive(Clone, Debug)]
pub struct ReceiverApi {
    url: String,
    http: reqwest::Client,
}

/// What was delivered, in order.
#[derive(Clone, Debug, Default)]
pub struct Delivered(Vec<Delivery>);

impl ReceiverApi {
    /// The receiver at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { url: format!("http://{address}/deliveries"), http: reqwest::Client::new() }
    }

    /// What was delivered to it. To a receiver that does not answer nothing is delivered, and that is what a drill is
    /// to tell of it.
    pub async fn delivered(&self) -> Result<Delivered> {
        let Ok(answer) = self.http.get(&self.url).send().await else { return Ok(Delivered::default()) };
        let mut deliveries: Vec<Delivery> = answer.error_for_status()?.json().await?;
        deliveries.reverse(); // the newest came first
        Ok(Delivered(deliveries))
    }
}

impl Delivered {
    /// Whether an alert of this name was delivered as firing since then.
    pub fn has_fired(&self, alert: &str, since: OffsetDateTime) -> bool {
        self.of(alert, since).any(|delivery| delivery.status == Status::Firing)
    }

    /// Whether every alert of this name that was delivered as firing since then was also delivered as
    /// resolved, and there was one.
    pub fn has_resolved(&self, alert: &str, since: OffsetDateTime) -> bool {
        let last: BTreeMap<_, _> =
            self.of(alert, since).map(|delivery| (&delivery.fingerprint, delivery.status)).collect();
        !last.is_empty() && last.values().all(|status| *status == Status::Resolved)
    }

    fn of(&self, alert: &str, since: OffsetDateTime) -> impl Iterator<Item = &Delivery> {
        self.0.iter().filter(move |delivery| delivery.alert == alert && delivery.received_at >= since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn delivery(fingerprint: &str, status: Status) -> Delivery {
        Delivery {
            received_at: OffsetDateTime::now_utc(),
            status,
            alert: "A".to_owned(),
            severity: String::new(),
            service: String::new(),
            summary: String::new(),
            runbook_url: String::new(),
            starts_at: OffsetDateTime::now_utc(),
            fingerprint: fingerprint.to_owned(),
        }
    }

    #[test]
    fn it_is_over_when_the_last_one_is_over() {
        let start = OffsetDateTime::now_utc();
        let mut delivered = Delivered::default();
        assert!(!delivered.has_fired("A", start) && !delivered.has_resolved("A", start));
        let (first, second) = (delivery("1", Status::Firing), delivery("2", Status::Firing));
        delivered.0.extend([first, second, delivery("1", Status::Resolved)]);
        assert!(delivered.has_fired("A", start) && !delivered.has_resolved("A", start));
        assert!(!delivered.has_fired("B", start));
        delivered.0.push(delivery("2", Status::Resolved));
        assert!(delivered.has_resolved("A", start));
        let later = OffsetDateTime::now_utc() + Duration::from_secs(1);
        assert!(!delivered.has_fired("A", later) && !delivered.has_resolved("A", later));
    }

    #[tokio::test]
    async fn a_receiver_that_is_gone_has_got_nothing() {
        let receiver = crate::receiver::Receiver::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let api = ReceiverApi::new(receiver.address());
        let webhook = format!("http://{}/webhook", receiver.address());
        let notification = reqwest::Client::new().post(webhook).header("Content-Type", "application/json");
        assert!(notification.body(NOTIFICATION).send().await.unwrap().status().is_success());
        let start = OffsetDateTime::UNIX_EPOCH;
        assert!(api.delivered().await.unwrap().has_fired("A", start));
        receiver.stop().await;
        assert!(!api.delivered().await.unwrap().has_fired("A", start));
    }

    const NOTIFICATION: &str = r#"{ "alerts": [{
        "status": "firing", "labels": { "alertname": "A" }, "startsAt": "2026-11-23T06:00:00Z", "fingerprint": "1"
    }] }"#;
}
