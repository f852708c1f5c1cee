//! `/metrics`: the Prometheus exposition, and the gauges that are measured for each scrape.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::future::join4;
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::db::{Backlog, OpenPayments};
use glasshouse_telemetry::service::metrics::Metrics;
use tokio::sync::Mutex;

use crate::http::health::Dependencies;
use crate::http::problem::Problem;
use crate::worker::Progress;

/// The gauges that are measured when Prometheus scrapes.
#[derive(Clone, Debug)]
pub struct Gauges(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    metrics: Metrics,
    dependencies: Dependencies,
    active_users: Option<ActiveUsers>,
    /// Held during a measurement: concurrent scrapes do not measure twice.
    measuring: Mutex<()>,
}

/// How long a scrape waits for its gauges. A slow or unavailable dependency must not fail the scrape that reports
/// it: its gauges keep their last values, and the next scrape has the new ones.
const SCRAPE_TIMEOUT: Duration = Duration::from_millis(150);

/// The timeout of each query for a gauge.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

impl Gauges {
    /// Gauges of `dependencies` in `metrics`, and of the active users if this process serves the API.
    #[must_use]
    pub fn new(metrics: Metrics, dependencies: Dependencies, active_users: Option<ActiveUsers>) -> Self {
        let measuring = Mutex::new(());
        Self(Arc::new(Parts { metrics, dependencies, active_users, measuring }))
    }

    /// The dependencies that are measured.
    #[must_use]
    pub fn dependencies(&self) -> &Dependencies {
        &self.0.dependencies
    }

    async fn refresh(&self) {
        let parts = self.0.clone();
        let measured = tokio::spawn(async move { parts.measure().await });
        // A measurement that takes longer continues in the background.
        let _ = tokio::time::timeout(SCRAPE_TIMEOUT, measured).await;
    }
}

impl Parts {
    async fn measure(&self) {
        let Ok(_one_at_a_time) = self.measuring.try_lock() else { return };
        if let Some(redis) = self.dependencies.redis() {
            redis.measure_pool(&self.metrics.cache);
        }
        if let Some(database) = self.dependencies.database() {
            database.measure_pool();
        }
        self.measure_worker();
        join4(
            self.measure_health(),
            self.measure_active_users(),
            self.measure_backlog(),
            self.measure_open_payments(),
        )
        .await;
    }

    async fn measure_health(&self) {
        for (dependency, verdict) in self.dependencies.check().await.iter() {
            self.metrics.health.set_up(dependency, *verdict == "ok");
        }
    }

    fn measure_worker(&self) {
        let jobs = self.dependencies.worker().map(Progress::ages);
        for (job, age) in jobs.into_iter().flatten() {
            self.metrics.worker.set_last_success_age(job.as_str(), age);
        }
    }

    async fn measure_active_users(&self) {
        if let Some(active_users) = &self.active_users
            && let Ok(count) = active_users.count().await
        {
            self.metrics.business.set_active_users(count);
        }
    }

    async fn measure_backlog(&self) {
        let Some(database) = self.dependencies.database() else { return };
        let backlog = tokio::time::timeout(QUERY_TIMEOUT, database.outbox_backlog()).await;
        if let Ok(Ok(Backlog { pending, oldest_age, dead_letters })) = backlog {
            self.metrics.outbox.set_backlog(pending, oldest_age, dead_letters);
        }
    }

    async fn measure_open_payments(&self) {
        let Some(database) = self.dependencies.database() else { return };
        let payments = tokio::time::timeout(QUERY_TIMEOUT, database.open_payments()).await;
        if let Ok(Ok(OpenPayments { open, oldest_age })) = payments {
            self.metrics.business.set_open_payments(open, oldest_age);
        }
    }
}

async fn show(gauges: web::Data<Gauges>) -> Result<HttpResponse, Problem> {
    gauges.refresh().await;
    let text = gauges.0.metrics.text().map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// The route of the metrics.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/metrics", web::get().to(show));
}
