//! The dead man's switch: Alertmanager sends an alert that always fires, and its absence is the alarm.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::store::{AlertStatus, Delivery, Notification};

/// How long the alert may stay away, by default.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// The switch. It is armed by the first notification.
#[derive(Debug)]
pub(super) struct DeadMansSwitch {
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last notification, when it arrived.
    last: Option<(Delivery, Instant)>,
    is_missing: bool,
}

/// The state of the switch, for people and monitors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When the alert last arrived; `None` if it never did.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_received_at: Option<OffsetDateTime>,
    /// Whether it has stayed away for too long.
    pub is_missing: bool,
}

impl DeadMansSwitch {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, state: Mutex::default() }
    }

    /// How long the alert may stay away.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The alert has arrived. Returns the end of the alarm, if there was one.
    pub(super) fn beat(&self, notification: Notification) -> Option<Delivery> {
        let delivery =
            notification.into_deliveries().find(|delivery| delivery.status == AlertStatus::Firing)?;
        let mut state = self.lock();
        let was_missing = std::mem::replace(&mut state.is_missing, false);
        state.last = Some((delivery.clone(), Instant::now()));
        let summary = format!("{} arrives again", delivery.alert);
        was_missing.then_some(Delivery { status: AlertStatus::Resolved, summary, ..delivery })
    }

    /// The alarm, once, when the alert has stayed away for too long.
    pub(super) fn alarm(&self) -> Option<Delivery> {
        let mut state = self.lock();
        let (last, received) = state.last.clone()?;
        if state.is_missing || received.elapsed() < self.timeout {
            return None;
        }
        state.is_missing = true;
        let summary = format!(
            "{} has not arrived for {} s: Prometheus or Alertmanager is down, or cannot notify",
            last.alert,
            received.elapsed().as_secs(),
        );
        let (status, severity) = (AlertStatus::Missing, "critical".to_owned());
        Some(Delivery { status, severity, summary, received_at: OffsetDateTime::now_utc(), ..last })
    }

    pub(super) fn heartbeat(&self) -> Heartbeat {
        let state = self.lock();
        let last_received_at = state.last.as_ref().map(|(delivery, _)| delivery.received_at);
        Heartbeat { last_received_at, is_missing: state.is_missing }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watchdog() -> Notification {
        serde_json::from_value(serde_json::json!({ "alerts": [{
            "status": "firing", "labels": { "alertname": "Watchdog" },
            "startsAt": "2026-11-23T06:00:00Z", "fingerprint": "1",
        }] }))
        .unwrap()
    }

    #[test]
    fn the_alarm_is_raised_once_and_ends_with_the_next_notification() {
        let switch = DeadMansSwitch::new(Duration::ZERO);
        assert!(switch.alarm().is_none(), "it is not armed yet");
        assert!(switch.beat(watchdog()).is_none());
        let alarm = switch.alarm().unwrap();
        assert_eq!((alarm.alert.as_str(), alarm.status), ("Watchdog", AlertStatus::Missing));
        assert!(alarm.summary.starts_with("Watchdog has not arrived for 0 s"), "{}", alarm.summary);
        assert!(switch.alarm().is_none() && switch.heartbeat().is_missing);
        assert_eq!(switch.beat(watchdog()).unwrap().status, AlertStatus::Resolved);
        assert!(!switch.heartbeat().is_missing && switch.beat(watchdog()).is_none());
    }

    #[test]
    fn there_is_no_alarm_while_the_alert_arrives() {
        let switch = DeadMansSwitch::new(Duration::from_secs(3600));
        switch.beat(watchdog());
        assert!(switch.alarm().is_none() && switch.heartbeat().last_received_at.is_some());
    }
}
