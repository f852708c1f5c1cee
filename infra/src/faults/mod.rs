//! Fault injection: causes the failures that alerts, dashboards and runbooks are drilled with.
//!
//! Every place that a fault can affect calls [`Faults`]. Where fault injection is disabled, the call costs one check of
//! an `Option`.

mod plan;
mod resources;

pub use plan::{
    Bounded, CacheErrors, Delay, Failures, FaultPlan, HeldConnections, Latency, Memory, Ratio,
    RejectedNotifications, Seconds, SlowQueries, StalledOutbox,
};

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::db::ConnectionHolder;
use glasshouse_telemetry::service::events::faults::FaultInjected;
use glasshouse_telemetry::service::metrics::FaultMetrics;

/// The faults of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<State>>);

#[derive(Debug)]
struct State {
    current: RwLock<Injected>,
    metrics: FaultMetrics,
}

/// A plan in effect.
#[derive(Debug)]
struct Injected {
    plan: FaultPlan,
    since: Instant,
    /// The tasks that hold connections and memory. Dropping the set releases both.
    _holders: JoinSet<()>,
}

impl Injected {
    /// Whether a fault with this duration has not expired.
    fn is_active(&self, seconds: Seconds) -> bool {
        self.since.elapsed() < seconds.duration()
    }

    /// Decides by chance whether a fault with this duration fires now. An `Option`, for `?`.
    fn fire(&self, seconds: Seconds, share: Ratio) -> Option<()> {
        (self.is_active(seconds) && share.draw()).then_some(())
    }
}

/// Checks that a fault affects this endpoint. One without an endpoint affects all. An `Option`, for `?`.
fn affects(target: Option<&String>, endpoint: &str) -> Option<()> {
    target.is_none_or(|target| target == endpoint).then_some(())
}

impl Faults {
    /// Disabled fault injection.
    #[must_use]
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// Enabled fault injection, without faults until [`Faults::inject`].
    #[must_use]
    pub fn enabled(metrics: FaultMetrics) -> Self {
        let none = Injected { plan: FaultPlan::default(), since: Instant::now(), _holders: JoinSet::new() };
        Self(Some(Arc::new(State { current: RwLock::new(none), metrics })))
    }

    /// Whether fault injection is enabled.
    #[must_use]
    pub const fn are_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Replaces the plan in effect. The fault `held_connections` takes its connections from `connections`. Must be
    /// called in a Tokio runtime.
    pub fn inject(&self, plan: FaultPlan, connections: Option<&ConnectionHolder>) {
        let Some(state) = &self.0 else { return };
        let mut holders = JoinSet::new();
        if let (Some(fault), Some(connections)) = (&plan.held_connections, connections) {
            FaultInjected { fault: "held_connections" }.emit(&state.metrics);
            holders.spawn(resources::hold_connections(fault.clone(), connections.clone()));
        }
        if let Some(fault) = &plan.memory {
            FaultInjected { fault: "memory" }.emit(&state.metrics);
            holders.spawn(resources::grow_memory(fault.clone()));
        }
        let injected = Injected { plan, since: Instant::now(), _holders: holders };
        *state.current.write().unwrap_or_else(PoisonError::into_inner) = injected;
    }

    /// The active faults by name, each with its settings and `seconds_left`.
    #[must_use]
    pub fn active(&self) -> Map<String, Value> {
        let Some(state) = &self.0 else { return Map::new() };
        let current = state.current.read().unwrap_or_else(PoisonError::into_inner);
        // A plan consists of numbers and strings, so its serialization cannot fail.
        let Ok(Value::Object(mut faults)) = serde_json::to_value(&current.plan) else { return Map::new() };
        faults.retain(|_, fault| {
            let seconds = fault.get("seconds").and_then(Value::as_u64).unwrap_or_default();
            let left = Duration::from_secs(seconds).saturating_sub(current.since.elapsed());
            fault["seconds_left"] = left.as_secs_f64().ceil().into();
            !left.is_zero()
        });
        faults
    }

    /// Triggers `latency`: the delay to add to a request of this endpoint.
    #[must_use]
    pub fn trigger_latency(&self, endpoint: &str) -> Option<Duration> {
        self.trigger("latency", |current| {
            let fault = current.plan.latency.as_ref()?;
            affects(fault.endpoint.as_ref(), endpoint)?;
            current.fire(fault.seconds, fault.share)?;
            Some(fault.delay_ms.duration())
        })
    }

    /// Triggers `errors`: whether a request of this endpoint must fail.
    #[must_use]
    pub fn trigger_error(&self, endpoint: &str) -> bool {
        self.trigger_failure("errors", endpoint, |plan| plan.errors.as_ref())
    }

    /// Triggers `panics`: whether the handler of a request of this endpoint must panic.
    #[must_use]
    pub fn trigger_panic(&self, endpoint: &str) -> bool {
        self.trigger_failure("panics", endpoint, |plan| plan.panics.as_ref())
    }

    /// Triggers `slow_queries`: the duration of a slow query at the beginning of a transaction.
    #[must_use]
    pub fn trigger_slow_query(&self) -> Option<Duration> {
        self.trigger("slow_queries", |current| {
            let fault = current.plan.slow_queries.as_ref()?;
            current.fire(fault.seconds, fault.share)?;
            Some(fault.delay_ms.duration())
        })
    }

    /// Triggers `cache_errors`: whether a cache operation must fail.
    pub(crate) fn trigger_cache_error(&self) -> bool {
        let fires = |current: &Injected| {
            let fault = current.plan.cache_errors.as_ref()?;
            current.fire(fault.seconds, fault.share)
        };
        self.trigger("cache_errors", fires).is_some()
    }

    /// Triggers `stalled_outbox`: whether the worker must not deliver messages.
    #[must_use]
    pub fn trigger_outbox_stall(&self) -> bool {
        let fires = |current: &Injected| {
            current.is_active(current.plan.stalled_outbox.as_ref()?.seconds).then_some(())
        };
        self.trigger("stalled_outbox", fires).is_some()
    }

    /// Triggers `rejected_notifications`: whether the notifier must reject a notification.
    pub(crate) fn trigger_rejected_notification(&self) -> bool {
        let fires = |current: &Injected| {
            let fault = current.plan.rejected_notifications.as_ref()?;
            current.fire(fault.seconds, fault.share)
        };
        self.trigger("rejected_notifications", fires).is_some()
    }

    /// Triggers a fault that makes requests of this endpoint fail.
    fn trigger_failure(
        &self,
        fault: &'static str,
        endpoint: &str,
        of: fn(&FaultPlan) -> Option<&Failures>,
    ) -> bool {
        let fires = |current: &Injected| {
            let failures = of(&current.plan)?;
            affects(failures.endpoint.as_ref(), endpoint)?;
            current.fire(failures.seconds, failures.share)
        };
        self.trigger(fault, fires).is_some()
    }

    /// Decides whether a fault fires now. If it does, counts and logs it.
    fn trigger<T>(&self, fault: &'static str, fires: impl FnOnce(&Injected) -> Option<T>) -> Option<T> {
        let state = self.0.as_ref()?;
        let effect = fires(&state.current.read().unwrap_or_else(PoisonError::into_inner))?;
        FaultInjected { fault }.emit(&state.metrics);
        Some(effect)
    }
}
