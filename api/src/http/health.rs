//! Health checks, on both listeners: `/health/live` for liveness (restart the process if it fails) and
//! `/health/ready` for readiness (route traffic to the process only while it succeeds).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use glasshouse_infra::db::DatabaseMonitor;
use glasshouse_infra::redis::Redis;
use glasshouse_telemetry::service::events::health::{HealthCheckFailed, HealthCheckTimedOut};
use glasshouse_telemetry::with_causes;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::draining::Draining;
use crate::worker::Progress;

/// The timeout of the check of one dependency.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long the result of a check is used. The endpoint is public, so the number of its requests must not
/// matter to the dependencies.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// The dependency without which a process is ready, and starts: requests do without the cache, and limits are those of the
/// process. A process that was taken out of the load balancer for it would make an outage of a degradation.
const OPTIONAL: &str = "redis";

/// The dependencies of this process, which readiness checks. Clones share the result of the last check.
#[derive(Clone, Debug, Default)]
pub struct Dependencies(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    database: Option<DatabaseMonitor>,
    redis: Option<Redis>,
    worker: OnceLock<Progress>,
    /// Locked during a check, so that concurrent requests share it.
    last: Mutex<Option<Checked>>,
}

/// The verdict on each dependency: `ok`, or an error.
type Verdicts = BTreeMap<&'static str, &'static str>;

#[derive(Debug)]
struct Checked {
    at: Instant,
    verdicts: Arc<Verdicts>,
}

#[derive(Serialize)]
struct Readiness<'a> {
    status: &'static str,
    checks: &'a Verdicts,
}

impl Dependencies {
    /// The dependencies of a process that uses a database, and Redis if there is one.
    #[must_use]
    pub fn new(database: DatabaseMonitor, redis: Option<Redis>) -> Self {
        Self(Arc::new(Inner { database: Some(database), redis, ..Inner::default() }))
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> Option<&DatabaseMonitor> {
        self.0.database.as_ref()
    }

    /// Redis.
    #[must_use]
    pub fn redis(&self) -> Option<&Redis> {
        self.0.redis.as_ref()
    }

    /// Adds the background jobs of this process.
    pub fn add_worker(&self, progress: Progress) {
        // A process has one worker.
        let _ = self.0.worker.set(progress);
    }

    /// The progress of the background jobs.
    #[must_use]
    pub fn worker(&self) -> Option<&Progress> {
        self.0.worker.get()
    }

    /// The verdicts of the last check, if it ended within the last second, and of a new one otherwise. Requests
    /// that come during a check wait for its result.
    pub(super) async fn check(&self) -> Arc<Verdicts> {
        let mut last = self.0.last.lock().await;
        if let Some(checked) = last.as_ref().filter(|checked| checked.at.elapsed() < FRESH_FOR) {
            return checked.verdicts.clone();
        }
        let verdicts = Arc::new(self.0.check_each().await);
        *last = Some(Checked { at: Instant::now(), verdicts: verdicts.clone() });
        verdicts
    }
}

impl Inner {
    /// Checks every dependency. Causes are logged and not returned: the response may be public.
    async fn check_each(&self) -> Verdicts {
        let database = async {
            let database = self.database.as_ref()?;
            let verdict = verdict("database", database.ping()).await;
            database.record_health(verdict == "ok");
            Some(verdict)
        };
        let redis = async { Some(verdict("redis", self.redis.as_ref()?.ping()).await) };
        let (database, redis) = futures_util::future::join(database, redis).await;
        let worker = self.worker.get().map(worker_verdict);
        let checks = [("database", database), ("redis", redis), ("worker", worker)];
        checks.into_iter().filter_map(|(name, verdict)| Some((name, verdict?))).collect()
    }
}

async fn verdict<E: std::error::Error + 'static>(
    check: &'static str,
    ping: impl Future<Output = Result<(), E>>,
) -> &'static str {
    match tokio::time::timeout(TIMEOUT, ping).await {
        Ok(Ok(())) => "ok",
        Ok(Err(error)) => {
            HealthCheckFailed { check, error: &with_causes(&error) }.emit();
            "error: unavailable"
        }
        Err(_elapsed) => {
            HealthCheckTimedOut { check, timeout: TIMEOUT }.emit();
            "error: timed out"
        }
    }
}

/// A job that hangs, or fails again and again, makes the process not ready.
fn worker_verdict(progress: &Progress) -> &'static str {
    let Some(job) = progress.stalled() else { return "ok" };
    let verdict = job.stalled();
    HealthCheckFailed { check: "worker", error: verdict }.emit();
    verdict
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

async fn ready(dependencies: web::Data<Dependencies>, draining: web::Data<Draining>) -> HttpResponse {
    // A process that stops is not ready at once, however long its dependencies take.
    let checks = if draining.is_on() { Arc::default() } else { dependencies.check().await };
    let is_up = checks.iter().all(|(name, verdict)| *verdict == "ok" || *name == OPTIONAL);
    let is_ready = is_up && !draining.is_on();
    let (status, word) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    HttpResponse::build(status).json(Readiness { status: word, checks: &checks })
}

/// The routes of the health checks.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/health/live", web::get().to(live)).route("/health/ready", web::get().to(ready));
}
