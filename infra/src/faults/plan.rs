//! The plan of a fault injection: the faults to inject, with their limits and defaults.

use std::fmt::Display;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The faults to inject. The settings of each are limited, and each ends after its `seconds`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultPlan {
    /// Adds latency to requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Requests fail with a 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Failures>,
    /// Handlers panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panics: Option<Failures>,
    /// Transactions begin with a slow query. Postgres only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_queries: Option<SlowQueries>,
    /// Database connections are taken from the pool and held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_connections: Option<HeldConnections>,
    /// Cache operations fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_errors: Option<CacheErrors>,
    /// The process leaks memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The worker delivers no messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalled_outbox: Option<StalledOutbox>,
    /// The notifier rejects notifications, so their messages become dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_notifications: Option<RejectedNotifications>,
}

/// See [`FaultPlan::latency`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The route pattern, such as `/v1/products`. Absent: all routes below `/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The added latency in milliseconds.
    pub delay_ms: Delay,
    /// The ratio of affected requests.
    #[serde(default)]
    pub share: Ratio,
    /// The duration of the fault in seconds.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::errors`] and [`FaultPlan::panics`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// The route pattern, such as `/v1/products`. Absent: all routes below `/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The ratio of affected requests.
    #[serde(default)]
    pub share: Ratio,
    /// The duration of the fault in seconds.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::slow_queries`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowQueries {
    /// The duration of the query in milliseconds, unless the statement timeout ends it first.
    pub delay_ms: Delay,
    /// The ratio of affected transactions.
    #[serde(default)]
    pub share: Ratio,
    /// The duration of the fault in seconds.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::held_connections`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldConnections {
    /// The number of connections, up to the size of the pool.
    pub count: Bounded<1, 1000>,
    /// The duration of the fault in seconds.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::cache_errors`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheErrors {
    /// The ratio of affected operations.
    #[serde(default)]
    pub share: Ratio,
    /// The duration of the fault in seconds.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::memory`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The maximum amount of memory in MiB.
    pub mib: Bounded<1, 1024>,
    /// The growth rate in MiB per second.
    pub mib_per_second: Bounded<1, 1024>,
    /// The duration of the fault in seconds. Afterwards the memory is released.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::stalled_outbox`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StalledOutbox {
    /// The duration of the fault in seconds.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::rejected_notifications`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedNotifications {
    /// The ratio of affected notifications.
    #[serde(default)]
    pub share: Ratio,
    /// The duration of the fault in seconds.
    #[serde(default)]
    pub seconds: Seconds,
}

/// A delay in milliseconds, up to ten seconds.
pub type Delay = Bounded<1, 10_000>;

/// An integer from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Delay {
    pub(super) const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<u64> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if (MIN..=MAX).contains(&number) { Ok(Self(number)) } else { Err(out_of_bounds(MIN, MAX, number)) }
    }
}

impl<const MIN: u64, const MAX: u64> From<Bounded<MIN, MAX>> for u64 {
    fn from(Bounded(number): Bounded<MIN, MAX>) -> Self {
        number
    }
}

/// The duration of a fault in seconds: at most an hour, by default five minutes. A forgotten fault therefore expires
/// without intervention.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(Bounded<1, 3600>);

impl Seconds {
    pub(super) const fn duration(self) -> Duration {
        Duration::from_secs(self.0.0)
    }
}

impl Default for Seconds {
    fn default() -> Self {
        Self(Bounded(300))
    }
}

/// A ratio from 0 (never) to 1 (always, the default).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Ratio(f64);

impl Ratio {
    /// Returns `true` with this probability.
    pub(super) fn draw(self) -> bool {
        rand::random::<f64>() < self.0
    }
}

impl Default for Ratio {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Ratio {
    type Error = String;

    fn try_from(ratio: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err(out_of_bounds(0, 1, ratio)) }
    }
}

impl From<Ratio> for f64 {
    fn from(Ratio(ratio): Ratio) -> Self {
        ratio
    }
}

fn out_of_bounds(min: impl Display, max: impl Display, number: impl Display) -> String {
    format!("must be from {min} to {max}, not {number}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(json: serde_json::Value) -> Result<FaultPlan, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn omitted_settings_have_defaults() {
        let latency = plan(json!({ "latency": { "delay_ms": 20 } })).unwrap().latency.unwrap();
        assert_eq!((latency.endpoint, latency.delay_ms.duration()), (None, Duration::from_millis(20)));
        assert_eq!((latency.share.0, latency.seconds.duration()), (1.0, Duration::from_secs(300)));
    }

    #[test]
    fn settings_are_validated() {
        for (invalid, message) in [
            (json!({ "latency": { "delay_ms": 10_001 } }), "must be from 1 to 10000, not 10001"),
            (json!({ "latency": {} }), "missing field `delay_ms`"),
            (json!({ "errors": { "share": 1.5 } }), "must be from 0 to 1, not 1.5"),
            (json!({ "errors": { "seconds": 3601 } }), "must be from 1 to 3600, not 3601"),
            (json!({ "held_connections": { "count": 0 } }), "must be from 1 to 1000, not 0"),
            (json!({ "memory": { "mib": 1025, "mib_per_second": 1 } }), "must be from 1 to 1024, not 1025"),
            (json!({ "fire": {} }), "unknown field `fire`"),
            (json!({ "panics": { "chance": 1 } }), "unknown field `chance`"),
        ] {
            let error = plan(invalid).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_ratio_is_a_probability() {
        assert!((0..100).all(|_| Ratio(1.0).draw()) && !(0..100).any(|_| Ratio(0.0).draw()));
        let half = (0..10_000).filter(|_| Ratio(0.5).draw()).count();
        assert!((4_000..6_000).contains(&half), "{half}");
    }
}
