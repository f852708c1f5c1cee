//! The timeouts of the steps of an exercise.

use std::time::Duration;

use crate::speed::Speed;

/// How long each step of an exercise may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the reset of Prometheus until the stack is at its baseline: healthy, without any active alert.
    pub baseline: Duration,
    /// How long the baseline must hold. This is a minimum, not a timeout.
    pub stable: Duration,
    /// From the start of the scenario to pending.
    pub pending: Duration,
    /// From pending to firing.
    pub firing: Duration,
    /// From firing to the delivery of the notification.
    pub delivered: Duration,
    /// From the delivery until all evidence is found.
    pub evidence: Duration,
    /// From the end of the fault to the delivery of the resolved notification.
    pub resolved: Duration,
    /// A whole scenario.
    pub scenario: Duration,
}

impl Timeouts {
    /// The timeouts for rules at this speed. The divided part covers windows, `for` durations and notification
    /// intervals; the constant part covers processes, and thresholds that are durations themselves.
    pub fn at(speed: Speed) -> Self {
        let timeout = |minutes: u64, seconds: u64| {
            speed.divide(Duration::from_secs(60 * minutes)) + Duration::from_secs(seconds)
        };
        Self {
            baseline: timeout(10, 30),
            stable: timeout(1, 0),
            pending: timeout(20, 90),
            firing: timeout(10, 15),
            delivered: timeout(10, 15),
            evidence: timeout(2, 15),
            resolved: timeout(60, 30),
            scenario: timeout(90, 120),
        }
    }

    /// The longest time from the start of a scenario until its alerts are proven or have failed.
    pub(super) fn until_proven(&self) -> Duration {
        self.pending + self.firing + self.delivered + self.evidence + Duration::from_secs(30)
    }
}
