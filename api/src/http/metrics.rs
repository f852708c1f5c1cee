//! `/metrics`, on the management interface.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use glasshouse_domain::clock;
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::telemetry::metrics::Metrics;

use super::health::Dependencies;
use super::problem::Problem;

/// What is measured only when somebody looks.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// The metrics to bring up to date.
    pub metrics: Metrics,
    /// Where to look.
    pub dependencies: Dependencies,
    /// Who was seen, if this process serves the API.
    pub active_users: Option<ActiveUsers>,
}

/// How long a part may take to tell its gauges. What is not told in time keeps its last value.
const PATIENCE: Duration = Duration::from_secs(1);

impl Gauges {
    async fn measure(&self) {
        if let Some(redis) = &self.dependencies.redis {
            let (open, idle, max) = redis.pool_state();
            self.metrics.cache.set_pool(open, idle, max);
        }
        if let Some(active_users) = &self.active_users
            && let Ok(count) = active_users.count().await
        {
            self.metrics.business.set_active_users(count);
        }
        let Some(database) = &self.dependencies.database else { return };
        database.measure_pool();
        if let Ok(Ok((pending, oldest))) = tokio::time::timeout(PATIENCE, database.outbox_backlog()).await {
            let age = oldest.map(|oldest| clock::now() - oldest);
            let age = age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
            self.metrics.outbox.set_backlog(pending, age);
        }
    }
}

async fn show(gauges: web::Data<Gauges>) -> Result<HttpResponse, Problem> {
    gauges.measure().await;
    let text = gauges.metrics.text().map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// Adds the metrics to a server.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/metrics", web::get().to(show));
}
