use std::fmt::Display;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which faults to inject. Each has bounds, and ends by itself after its `seconds`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultPlan {
    /// Requests take longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Requests fail with a 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Failures>,
    /// Handlers panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panics: Option<Failures>,
    /// Transactions begin with a statement that takes this long. Postgres only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_queries: Option<SlowQueries>,
    /// Connections to the database are taken from the pool and kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_connections: Option<HeldConnections>,
    /// Calls to the cache fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_errors: Option<CacheErrors>,
    /// The process takes more and more memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The worker delivers no messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalled_outbox: Option<StalledOutbox>,
}

/// See [`FaultPlan::latency`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The pattern of the route; all below `/v1` if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How much longer each request takes.
    pub delay_ms: Delay,
    /// The share of the requests.
    #[serde(default)]
    pub share: Share,
    /// How long the fault lasts.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::errors`] and [`FaultPlan::panics`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// The pattern of the route; all below `/v1` if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The share of the requests.
    #[serde(default)]
    pub share: Share,
    /// How long the fault lasts.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::slow_queries`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowQueries {
    /// How long the statement takes, unless the statement time-out ends it first.
    pub delay_ms: Delay,
    /// The share of the transactions.
    #[serde(default)]
    pub share: Share,
    /// How long the fault lasts.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::held_connections`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldConnections {
    /// How many; no more than the pool has.
    pub count: Bounded<1, 1000>,
    /// How long the fault lasts.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::cache_errors`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheErrors {
    /// The share of the calls.
    #[serde(default)]
    pub share: Share,
    /// How long the fault lasts.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::memory`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// How much in the end, in MiB.
    pub mib: Bounded<1, 1024>,
    /// How fast it grows.
    pub mib_per_second: Bounded<1, 1024>,
    /// How long the fault lasts; then the memory is given back.
    #[serde(default)]
    pub seconds: Seconds,
}

/// See [`FaultPlan::stalled_outbox`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StalledOutbox {
    /// How long the fault lasts.
    #[serde(default)]
    pub seconds: Seconds,
}

/// Milliseconds: up to ten seconds.
pub type Delay = Bounded<1, 10_000>;

/// A whole number from `MIN` to `MAX`.
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

/// How long a fault lasts: up to an hour, and five minutes unless somebody says otherwise. A fault that was
/// forgotten heals by itself.
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

/// From 0 (never) to 1 (always, the default).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// Draws a lot.
    pub(super) fn hits(self) -> bool {
        rand::random::<f64>() < self.0
    }
}

impl Default for Share {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(share: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(out_of_bounds(0, 1, share)) }
    }
}

impl From<Share> for f64 {
    fn from(Share(share): Share) -> Self {
        share
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
    fn what_is_not_said_has_a_default() {
        let latency = plan(json!({ "latency": { "delay_ms": 20 } })).unwrap().latency.unwrap();
        assert_eq!((latency.endpoint, latency.delay_ms.duration()), (None, Duration::from_millis(20)));
        assert_eq!((latency.share.0, latency.seconds.duration()), (1.0, Duration::from_secs(300)));
    }

    #[test]
    fn everything_has_bounds() {
        for (wrong, problem) in [
            (json!({ "latency": { "delay_ms": 10_001 } }), "must be from 1 to 10000, not 10001"),
            (json!({ "latency": {} }), "missing field `delay_ms`"),
            (json!({ "errors": { "share": 1.5 } }), "must be from 0 to 1, not 1.5"),
            (json!({ "errors": { "seconds": 3601 } }), "must be from 1 to 3600, not 3601"),
            (json!({ "held_connections": { "count": 0 } }), "must be from 1 to 1000, not 0"),
            (json!({ "memory": { "mib": 1025, "mib_per_second": 1 } }), "must be from 1 to 1024, not 1025"),
            (json!({ "fire": {} }), "unknown field `fire`"),
            (json!({ "panics": { "chance": 1 } }), "unknown field `chance`"),
        ] {
            let refused = plan(wrong).unwrap_err();
            assert!(refused.starts_with(problem), "{refused}");
        }
    }

    #[test]
    fn a_share_is_a_probability() {
        assert!((0..100).all(|_| Share(1.0).hits()) && !(0..100).any(|_| Share(0.0).hits()));
        let half = (0..10_000).filter(|_| Share(0.5).hits()).count();
        assert!((4_000..6_000).contains(&half), "{half}");
    }
}
