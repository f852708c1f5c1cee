use std::time::Duration;

use crate::speed::Speed;

/// How long each step of an exercise may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until the processes are healthy and no alert is pending or firing.
    pub silence: Duration,
    /// How long it must be silent to count as silent.
    pub quiet: Duration,
    /// From the start of the scenario to pending.
    pub pending: Duration,
    /// From pending to firing.
    pub firing: Duration,
    /// From firing to the delivery.
    pub delivered: Duration,
    /// From the delivery until the evidence is found.
    pub evidence: Duration,
    /// From the end of the cause until the end is delivered.
    pub resolved: Duration,
    /// A whole scenario.
    pub run: Duration,
}

impl Patience {
    /// From the start of a scenario until its alerts are proven, or given up.
    pub(super) fn until_proven(&self) -> Duration {
        self.pending + self.firing + self.delivered + self.evidence + Duration::from_secs(30)
    }

    /// What suits rules of this speed. The part that is divided covers windows, `for` and the intervals of
    /// notifications; the rest is for processes, and for thresholds that are durations themselves.
    pub fn at(speed: Speed) -> Self {
        let step = |minutes: u64, seconds: u64| {
            speed.divide(Duration::from_secs(60 * minutes)) + Duration::from_secs(seconds)
        };
        Self {
            silence: step(10, 30),
            quiet: step(1, 0),
            pending: step(20, 90),
            firing: step(10, 15),
            delivered: step(10, 15),
            evidence: step(2, 15),
            resolved: step(60, 30),
            run: step(90, 120),
        }
    }
}
