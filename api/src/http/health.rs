//! Health checks, on both listeners: `/health/live` for liveness (restart the process if it fails) and
//! `/health/ready` for readiness (route traffic to the process only while it succeeds).

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use glasshouse_infra::db::DatabaseMonitor;
use glasshouse_infra::redis::Redis;
use glasshouse_telemetry::service::events::health::{HealthCheckFailed, HealthCheckTimedOut};
use glasshouse_telemetry::with_causes;
use serde::Serialize;

use super::public::middleware::Draining;

/// The timeout of the check of one dependency.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The dependencies of this process, which readiness checks.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    /// The database.
    pub database: Option<DatabaseMonitor>,
    /// Redis.
    pub redis: Option<Redis>,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    checks: BTreeMap<&'static str, &'static str>,
}

impl Dependencies {
    /// Checks every dependency. Causes are logged and not returned: the response may be public.
    pub(super) async fn check(&self) -> BTreeMap<&'static str, &'static str> {
        let database = async {
            match &self.database {
                Some(database) => {
                    let verdict = verdict("database", database.ping()).await;
                    database.record_health(verdict == "ok");
                    Some(verdict)
                }
                None => None,
            }
        };
        let redis = async {
            match &self.redis {
                Some(redis) => Some(verdict("redis", redis.ping()).await),
                None => None,
            }
        };
        let (database, redis) = futures_util::future::join(database, redis).await;
        let checks = [("database", database), ("redis", redis)];
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

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

async fn ready(dependencies: web::Data<Dependencies>, draining: web::Data<Draining>) -> HttpResponse {
    let checks = dependencies.check().await;
    let is_ready = !draining.is_on() && checks.values().all(|verdict| *verdict == "ok");
    let (status, word) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    HttpResponse::build(status).json(Readiness { status: word, checks })
}

/// The routes of the health checks.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/health/live", web::get().to(live)).route("/health/ready", web::get().to(ready));
}
