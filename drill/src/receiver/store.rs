//! Alertmanager's notifications, and the bounded store of the alerts in them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The maximum number of stored deliveries. The oldest are removed first.
const CAPACITY: usize = 500;

/// A webhook notification of Alertmanager (version 4). Only the fields that are needed here.
#[derive(Debug, Deserialize)]
pub struct Notification {
    alerts: Vec<NotifiedAlert>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotifiedAlert {
    status: AlertStatus,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    starts_at: OffsetDateTime,
    /// The expression of the rule in Prometheus.
    #[serde(rename = "generatorURL", default)]
    generator_url: String,
    fingerprint: String,
}

/// The status of an alert in a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// The alert is firing.
    Firing,
    /// The alert is resolved.
    Resolved,
    /// The alert, which always fires, no longer arrives. The dead man's switch says so, and not Alertmanager.
    Missing,
}

/// One alert in one notification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// When the notification was received.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// Firing or resolved.
    pub status: AlertStatus,
    /// The name of the alert.
    pub alert: String,
    /// The label `severity`.
    pub severity: String,
    /// The label `service`.
    pub service: String,
    /// The annotation `summary`.
    pub summary: String,
    /// The annotation `description`.
    #[serde(default)]
    pub description: String,
    /// The annotation `runbook_url`.
    pub runbook_url: String,
    /// The annotation `dashboard_url`.
    #[serde(default)]
    pub dashboard_url: String,
    /// The expression of the rule, as a page of Prometheus.
    #[serde(default)]
    pub expression_url: String,
    /// When the alert began to fire.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
    /// Alertmanager's hash of the labels, which identifies the alert among others with the same name.
    pub fingerprint: String,
}

/// The most recent deliveries.
#[derive(Debug, Default)]
pub(super) struct DeliveryStore(Mutex<VecDeque<Delivery>>);

impl DeliveryStore {
    /// Stores the alerts of a notification.
    pub(super) fn add(&self, notification: Notification) {
        self.extend(notification.into_deliveries());
    }

    /// Stores deliveries.
    pub(super) fn extend(&self, added: impl IntoIterator<Item = Delivery>) {
        let mut deliveries = self.lock();
        for delivery in added {
            if deliveries.len() == CAPACITY {
                deliveries.pop_front();
            }
            deliveries.push_back(delivery);
        }
    }

    /// All stored deliveries, from newest to oldest.
    pub(super) fn newest_first(&self) -> Vec<Delivery> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notification {
    /// The alerts of the notification, as delivered now.
    pub(super) fn into_deliveries(self) -> impl Iterator<Item = Delivery> {
        let now = OffsetDateTime::now_utc();
        self.alerts.into_iter().map(move |alert| alert.delivered_at(now))
    }
}

impl NotifiedAlert {
    fn delivered_at(mut self, received_at: OffsetDateTime) -> Delivery {
        let mut label = |name: &str| self.labels.remove(name).unwrap_or_default();
        let mut annotation = |name: &str| self.annotations.remove(name).unwrap_or_default();
        Delivery {
            received_at,
            status: self.status,
            alert: label("alertname"),
            severity: label("severity"),
            service: label("service"),
            summary: annotation("summary"),
            description: annotation("description"),
            runbook_url: annotation("runbook_url"),
            dashboard_url: annotation("dashboard_url"),
            expression_url: self.generator_url,
            starts_at: self.starts_at,
            fingerprint: self.fingerprint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(alert: &str) -> Notification {
        let labels = BTreeMap::from([("alertname".to_owned(), alert.to_owned())]);
        let (status, starts_at) = (AlertStatus::Firing, OffsetDateTime::now_utc());
        let (annotations, fingerprint, generator_url) = (BTreeMap::new(), "1".to_owned(), String::new());
        let alert = NotifiedAlert { status, labels, annotations, starts_at, generator_url, fingerprint };
        Notification { alerts: vec![alert] }
    }

    #[test]
    fn the_store_is_bounded_and_keeps_the_newest() {
        let store = DeliveryStore::default();
        for number in 0..=CAPACITY {
            store.add(notification(&format!("A{number}")));
        }
        let stored = store.newest_first();
        assert_eq!(stored.len(), CAPACITY);
        assert_eq!(stored[0].alert, format!("A{CAPACITY}"));
        assert_eq!(stored[CAPACITY - 1].alert, "A1");
    }
}
