use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How many deliveries are remembered; the oldest go first.
const MEMORY: usize = 500;

/// What Alertmanager sends: of its format (version 4), the part that matters here.
#[derive(Debug, Deserialize)]
pub struct Notification {
    alerts: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: Status,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    starts_at: OffsetDateTime,
    fingerprint: String,
}

/// Whether an alert fires or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

/// One alert in one notification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// When it came.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// Whether it fires or is over.
    pub status: Status,
    /// The alert's name.
    pub alert: String,
    /// Its label `severity`.
    pub severity: String,
    /// Its label `service`.
    pub service: String,
    /// Its annotation `summary`.
    pub summary: String,
    /// Its annotation `runbook_url`.
    pub runbook_url: String,
    /// When it began to fire.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
    /// What tells it from other alerts of the same name.
    pub fingerprint: String,
}

/// The last deliveries.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Mutex<VecDeque<Delivery>>);

impl Deliveries {
    /// Remembers what came.
    pub(super) fn add(&self, notification: Notification) {
        let mut deliveries = self.lock();
        for alert in notification.alerts {
            if deliveries.len() == MEMORY {
                deliveries.pop_front();
            }
            deliveries.push_back(alert.delivered_at(OffsetDateTime::now_utc()));
        }
    }

    /// All that is remembered, the newest first.
    pub(super) fn newest_first(&self) -> Vec<Delivery> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alert {
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
            runbook_url: annotation("runbook_url"),
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
        let (status, starts_at) = (Status::Firing, OffsetDateTime::now_utc());
        let (annotations, fingerprint) = (BTreeMap::new(), "1".to_owned());
        Notification { alerts: vec![Alert { status, labels, annotations, starts_at, fingerprint }] }
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let deliveries = Deliveries::default();
        for number in 0..=MEMORY {
            deliveries.add(notification(&format!("A{number}")));
        }
        let remembered = deliveries.newest_first();
        assert_eq!(remembered.len(), MEMORY);
        assert_eq!(remembered[0].alert, format!("A{MEMORY}"));
        assert_eq!(remembered[MEMORY - 1].alert, "A1");
    }
}
