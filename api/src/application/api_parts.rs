//! The parts of the API, grouped by what uses them. Each part is registered as app data of its own type, so a
//! middleware or a handler names exactly the parts that it uses.

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use glasshouse_domain::tenant::Plan;
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::attempts::AttemptLimiter;
use glasshouse_infra::cache::Cache;
use glasshouse_infra::db::Directory;
use glasshouse_infra::faults::Faults;
use glasshouse_infra::passwords::HashingQueue;
use glasshouse_infra::principals::Principals;
use glasshouse_infra::rate_limit::{Quotas, RateLimiter};
use glasshouse_infra::tokens::Tokens;
use glasshouse_telemetry::metrics::HttpMetrics;
use glasshouse_telemetry::service::metrics::{AdmissionMetrics, BusinessMetrics, Metrics};

use super::connections::Connections;
use crate::config::AuthSettings;
use crate::http::Draining;
use crate::http::body::Bodies;
use crate::http::health::Dependencies;
use crate::http::public::concurrency::Concurrency;
use crate::third_parties::ThirdParties;

/// All parts of the API. Cloned for each server thread.
#[derive(Clone)]
pub(super) struct ApiParts {
    pub(super) edge: EdgeParts,
    pub(super) admission: AdmissionParts,
    pub(super) handlers: HandlerParts,
}

/// What the middleware around every request and the health checks use.
#[derive(Clone)]
pub(super) struct EdgeParts {
    pub(super) dependencies: Dependencies,
    pub(super) draining: Draining,
    pub(super) concurrency: Concurrency,
    pub(super) bodies: Bodies,
    pub(super) faults: Faults,
    pub(super) http_metrics: HttpMetrics,
    pub(super) admission_metrics: AdmissionMetrics,
}

/// What authentication and rate limiting use.
#[derive(Clone)]
pub(super) struct AdmissionParts {
    tokens: Tokens,
    principals: Principals,
    limiter: Arc<RateLimiter>,
    attempts: AttemptLimiter,
    active_users: ActiveUsers,
}

/// What the handlers of `/v1` use, beside tokens and principals.
#[derive(Clone)]
pub(super) struct HandlerParts {
    directory: Directory,
    hashing: HashingQueue,
    third_parties: ThirdParties,
    metrics: BusinessMetrics,
}

impl ApiParts {
    /// Registers every part.
    pub(super) fn register(&self, app: &mut ServiceConfig) {
        self.edge.register(app);
        self.admission.register(app);
        self.handlers.register(app);
    }
}

impl EdgeParts {
    fn register(&self, app: &mut ServiceConfig) {
        app.app_data(Data::new(self.dependencies.clone()))
            .app_data(Data::new(self.draining.clone()))
            .app_data(Data::new(self.concurrency.clone()))
            .app_data(Data::new(self.bodies.clone()))
            .app_data(Data::new(self.faults.clone()))
            .app_data(Data::new(self.http_metrics.clone()))
            .app_data(Data::new(self.admission_metrics.clone()));
    }
}

impl AdmissionParts {
    /// Keeps cache, rate limits and active users in Redis, if there is one, and in this process otherwise.
    pub(super) fn new(
        auth: &AuthSettings,
        quotas: Quotas,
        connections: &Connections,
        faults: &Faults,
        metrics: &Metrics,
    ) -> Self {
        for (plan, quota) in
            [(Plan::Free, quotas.free), (Plan::Pro, quotas.pro), (Plan::Enterprise, quotas.enterprise)]
        {
            metrics.admission.set_plan_limit(plan.as_str(), quota.per_second);
        }
        let (cache, limiter, active_users) = match &connections.redis {
            Some(redis) => (
                Cache::in_redis(redis.clone(), &auth.tokens.secret),
                RateLimiter::in_redis(redis.clone(), quotas, metrics.admission.clone()),
                ActiveUsers::in_redis(redis.clone()),
            ),
            None => (Cache::in_process(10_000), RateLimiter::in_process(&quotas), ActiveUsers::in_process()),
        };
        Self {
            tokens: Tokens::new(&auth.tokens),
            principals: Principals::new(
                &connections.database,
                cache.with_faults(faults),
                metrics.cache.clone(),
                metrics.admission.clone(),
            ),
            limiter: Arc::new(limiter),
            attempts: match &connections.redis {
                Some(redis) => AttemptLimiter::in_redis(redis.clone(), auth.attempts),
                None => AttemptLimiter::in_process(auth.attempts),
            },
            active_users,
        }
    }

    /// The users who made a request recently.
    pub(super) fn active_users(&self) -> ActiveUsers {
        self.active_users.clone()
    }

    fn register(&self, app: &mut ServiceConfig) {
        app.app_data(Data::new(self.tokens.clone()))
            .app_data(Data::new(self.principals.clone()))
            .app_data(Data::from(self.limiter.clone()))
            .app_data(Data::new(self.attempts.clone()))
            .app_data(Data::new(self.active_users.clone()));
    }
}

impl HandlerParts {
    pub(super) fn new(
        connections: &Connections,
        hashing: HashingQueue,
        third_parties: ThirdParties,
        metrics: &Metrics,
    ) -> Self {
        let directory = connections.database.directory();
        Self { directory, hashing, third_parties, metrics: metrics.business.clone() }
    }

    fn register(&self, app: &mut ServiceConfig) {
        app.app_data(Data::new(self.directory.clone()))
            .app_data(Data::new(self.hashing.clone()))
            .app_data(Data::new(self.metrics.clone()));
        self.third_parties.register(app);
    }
}
