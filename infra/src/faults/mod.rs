//! Faults on request: what goes wrong in production, made to go wrong here, so that alerts, dashboards and
//! runbooks can be rehearsed.
//!
//! Every place that a fault may hit asks a [`Faults`]. Where they are not enabled, that is one look at an
//! `Option`.

mod held;
mod plan;

pub use plan::{
    Bounded, CacheErrors, Delay, Failures, FaultPlan, HeldConnections, Latency, Memory, Seconds, Share,
    SlowQueries, StalledOutbox,
};

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::db::ConnectionHolder;
use glasshouse_telemetry::events::faults::FaultInjected;
use glasshouse_telemetry::metrics::FaultMetrics;

/// The faults of this process. Cloning it is cheap and shares them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Board>>);

#[derive(Debug)]
struct Board {
    now: RwLock<Injected>,
    metrics: FaultMetrics,
}

/// A plan that is carried out.
#[derive(Debug)]
struct Injected {
    plan: FaultPlan,
    since: Instant,
    /// What holds connections and memory, until it is dropped.
    _holders: JoinSet<()>,
}

impl Injected {
    /// Whether a fault that lasts so long is still on.
    fn lasts(&self, seconds: Seconds) -> bool {
        self.since.elapsed() < seconds.duration()
    }

    /// Whether a fault that lasts so long and hits this share hits now. As an `Option`, for `?`.
    fn hits(&self, seconds: Seconds, share: Share) -> Option<()> {
        (self.lasts(seconds) && share.hits()).then_some(())
    }
}

/// Whether a fault for one endpoint, or for all of them, is one for this endpoint. As an `Option`, for `?`.
fn concerns(wanted: Option<&String>, endpoint: &str) -> Option<()> {
    wanted.is_none_or(|wanted| wanted == endpoint).then_some(())
}

impl Faults {
    /// No faults, and no way to inject any.
    #[must_use]
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// No faults until [`Faults::inject`].
    #[must_use]
    pub fn enabled(metrics: FaultMetrics) -> Self {
        let nothing =
            Injected { plan: FaultPlan::default(), since: Instant::now(), _holders: JoinSet::new() };
        Self(Some(Arc::new(Board { now: RwLock::new(nothing), metrics })))
    }

    /// Whether faults can be injected at all.
    #[must_use]
    pub const fn are_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Carries out this plan instead of the one before; `connections` are those that it may hold. To be called
    /// where tasks can be spawned.
    pub fn inject(&self, plan: FaultPlan, connections: Option<&ConnectionHolder>) {
        let Some(board) = &self.0 else { return };
        let mut holders = JoinSet::new();
        if let (Some(fault), Some(connections)) = (&plan.held_connections, connections) {
            FaultInjected { fault: "held_connections" }.emit(&board.metrics);
            holders.spawn(held::hold_connections(fault.clone(), connections.clone()));
        }
        if let Some(fault) = &plan.memory {
            FaultInjected { fault: "memory" }.emit(&board.metrics);
            holders.spawn(held::grow_memory(fault.clone()));
        }
        let injected = Injected { plan, since: Instant::now(), _holders: holders };
        *board.now.write().unwrap_or_else(PoisonError::into_inner) = injected;
    }

    /// The faults that last, by name, each with its settings and `seconds_left`.
    #[must_use]
    pub fn shown(&self) -> Map<String, Value> {
        let Some(board) = &self.0 else { return Map::new() };
        let now = board.now.read().unwrap_or_else(PoisonError::into_inner);
        // Numbers and texts always have a form in JSON.
        let Ok(Value::Object(mut faults)) = serde_json::to_value(&now.plan) else { return Map::new() };
        faults.retain(|_, fault| {
            let seconds = fault.get("seconds").and_then(Value::as_u64).unwrap_or_default();
            let left = Duration::from_secs(seconds).saturating_sub(now.since.elapsed());
            fault["seconds_left"] = left.as_secs_f64().ceil().into();
            !left.is_zero()
        });
        faults
    }

    /// How much longer a request of this endpoint has to take.
    #[must_use]
    pub fn delays(&self, endpoint: &str) -> Option<Duration> {
        self.strike("latency", |now| {
            let fault = now.plan.latency.as_ref()?;
            concerns(fault.endpoint.as_ref(), endpoint)?;
            now.hits(fault.seconds, fault.share)?;
            Some(fault.delay_ms.duration())
        })
    }

    /// Whether a request of this endpoint has to fail.
    #[must_use]
    pub fn fails(&self, endpoint: &str) -> bool {
        self.strikes("errors", endpoint, |plan| plan.errors.as_ref())
    }

    /// Whether the handler of a request of this endpoint has to panic.
    #[must_use]
    pub fn panics(&self, endpoint: &str) -> bool {
        self.strikes("panics", endpoint, |plan| plan.panics.as_ref())
    }

    /// How long the first statement of a transaction has to take.
    #[must_use]
    pub fn slow_query(&self) -> Option<Duration> {
        self.strike("slow_queries", |now| {
            let fault = now.plan.slow_queries.as_ref()?;
            now.hits(fault.seconds, fault.share)?;
            Some(fault.delay_ms.duration())
        })
    }

    /// Whether a call to the cache has to fail.
    pub(crate) fn cache_fails(&self) -> bool {
        let strike = |now: &Injected| {
            let fault = now.plan.cache_errors.as_ref()?;
            now.hits(fault.seconds, fault.share)
        };
        self.strike("cache_errors", strike).is_some()
    }

    /// Whether the worker has to leave messages where they are.
    #[must_use]
    pub fn outbox_stalls(&self) -> bool {
        let strike = |now: &Injected| now.lasts(now.plan.stalled_outbox.as_ref()?.seconds).then_some(());
        self.strike("stalled_outbox", strike).is_some()
    }

    /// Finds out whether a request of this endpoint has to fail in this way.
    fn strikes(&self, fault: &'static str, endpoint: &str, of: fn(&FaultPlan) -> Option<&Failures>) -> bool {
        let hit = |now: &Injected| {
            let failures = of(&now.plan)?;
            concerns(failures.endpoint.as_ref(), endpoint)?;
            now.hits(failures.seconds, failures.share)
        };
        self.strike(fault, hit).is_some()
    }

    /// Finds out whether a fault hits here and now; if it does, that is counted and logged.
    fn strike<T>(&self, fault: &'static str, hit: impl FnOnce(&Injected) -> Option<T>) -> Option<T> {
        let board = self.0.as_ref()?;
        let hit = hit(&board.now.read().unwrap_or_else(PoisonError::into_inner))?;
        FaultInjected { fault }.emit(&board.metrics);
        Some(hit)
    }
}
