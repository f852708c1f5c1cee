//! The servers of a process: the public interface, the management interface, the gateway simulator.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, Condition, from_fn};
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::cache::Cache;
use glasshouse_infra::db::Database;
use glasshouse_infra::faults::Faults;
use glasshouse_infra::passwords::Argon2Hasher;
use glasshouse_infra::payment_gateway::GatewayClient;
use glasshouse_infra::principals::Principals;
use glasshouse_infra::rate_limit::RateLimiter;
use glasshouse_infra::tokens::Tokens;
use glasshouse_telemetry::http::{Observe, TracingLogger};
use glasshouse_telemetry::metrics::{Metrics, RuntimeMetrics};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use crate::config::{ApiConfig, ShutdownConfig};
use crate::gateway_simulator::{self, Simulator};
use crate::http::health::{self, Dependencies};
use crate::http::management::faults::{self, FaultPanel};
use crate::http::management::metrics::{self, Gauges};
use crate::http::management::profiles;
use crate::http::problem::{self, ProblemDocuments};
use crate::http::public::middleware::{
    Draining, InFlight, RequestSpan, close_while_draining, inject_faults, shed_load, time_out,
};
use crate::http::public::{docs, v1};

/// Connections that live longer than this are closed once they are idle.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What the handlers of the public interface need, each on its own: a handler names what it uses.
#[derive(Clone)]
pub(super) struct ApiParts {
    config: ApiConfig,
    database: Database,
    dependencies: Dependencies,
    principals: Principals,
    limiter: web::Data<RateLimiter>,
    tokens: Tokens,
    hasher: Argon2Hasher,
    gateway: GatewayClient,
    draining: Draining,
    in_flight: InFlight,
    active_users: ActiveUsers,
    faults: Faults,
    metrics: Metrics,
}

impl ApiParts {
    pub(super) fn new(
        config: ApiConfig,
        dependencies: &Dependencies,
        gateway: &GatewayClient,
        draining: &Draining,
        in_flight: &InFlight,
        faults: &Faults,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let database = dependencies.database.clone().context("the API needs a database")?;
        let (cache, limiter, active_users) = match &dependencies.redis {
            Some(redis) => (
                Cache::in_redis(redis.clone()),
                RateLimiter::in_redis(redis.clone(), config.quotas),
                ActiveUsers::in_redis(redis.clone()),
            ),
            None => (
                Cache::in_process(10_000),
                RateLimiter::in_process(&config.quotas),
                ActiveUsers::in_process(),
            ),
        };
        Ok(Self {
            principals: Principals::new(database.clone(), cache.with_faults(faults), metrics.cache.clone()),
            limiter: web::Data::new(limiter),
            tokens: Tokens::new(&config.auth.tokens),
            hasher: Argon2Hasher::new(config.auth.argon2)?,
            gateway: gateway.clone(),
            dependencies: dependencies.clone(),
            draining: draining.clone(),
            in_flight: in_flight.clone(),
            active_users,
            faults: faults.clone(),
            metrics: metrics.clone(),
            database,
            config,
        })
    }

    /// Who was seen by this server.
    pub(super) fn active_users(&self) -> ActiveUsers {
        self.active_users.clone()
    }

    pub(super) fn server(self, listener: TcpListener, shutdown: ShutdownConfig) -> anyhow::Result<Server> {
        let ApiConfig { http_workers, limits, .. } = self.config.clone();
        let faults_are_enabled = self.faults.are_enabled();
        let server = HttpServer::new(move || {
            let parts = self.clone();
            parts.metrics.runtime.watch("http");
            let (json, query, path) = problem::extractor_configs(limits.body_bytes);
            let app = App::new().into_utoipa_app().configure(v1::routes).into_app();
            app.app_data(json)
                .app_data(query)
                .app_data(path)
                .app_data(web::Data::new(limits))
                .app_data(web::Data::new(parts.database))
                .app_data(web::Data::new(parts.dependencies))
                .app_data(web::Data::new(parts.principals))
                .app_data(parts.limiter)
                .app_data(web::Data::new(parts.tokens))
                .app_data(web::Data::new(parts.hasher))
                .app_data(web::Data::new(parts.gateway))
                .app_data(web::Data::new(parts.draining))
                .app_data(web::Data::new(parts.in_flight))
                .app_data(web::Data::new(parts.active_users))
                .app_data(web::Data::new(parts.faults))
                .app_data(web::Data::new(parts.metrics.http.clone()))
                .app_data(web::Data::new(parts.metrics.business))
                .configure(health::routes)
                .service(web::redirect("/docs", "/docs/"))
                .service(SwaggerUi::new("/docs/{_:.*}").url(docs::OPENAPI_PATH, docs::openapi()))
                .default_service(web::to(problem::unknown_route))
                .wrap(Condition::new(faults_are_enabled, from_fn(inject_faults)))
                .wrap(from_fn(time_out))
                .wrap(from_fn(shed_load))
                .wrap(Compress::default())
                .wrap(Observe::new(parts.metrics.http).errors(ProblemDocuments))
                .wrap(from_fn(close_while_draining))
                .wrap(TracingLogger::<RequestSpan>::new())
        });
        let server = server
            .workers(http_workers)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(limits.header_timeout)
            .shutdown_timeout(shutdown.grace.as_secs())
            .disable_signals()
            .listen(listener)?;
        Ok(server.run())
    }
}

/// What the bodies of management requests may have, in bytes.
const MANAGEMENT_BODY: usize = 16 * 1024;

/// Health checks, metrics, profiles, and faults where they are enabled. Nothing but the health checks is public.
pub(super) fn management_server(
    listener: TcpListener,
    gauges: Gauges,
    faults: FaultPanel,
    draining: Draining,
) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || {
        let (json, query, _) = problem::extractor_configs(MANAGEMENT_BODY);
        let app = App::new();
        let app = if faults.faults.are_enabled() { app.configure(faults::routes) } else { app };
        app.app_data(json)
            .app_data(query)
            .app_data(web::Data::new(faults.clone()))
            .app_data(web::Data::new(gauges.dependencies().clone()))
            .app_data(web::Data::new(gauges.clone()))
            .app_data(web::Data::new(draining.clone()))
            .configure(health::routes)
            .configure(metrics::routes)
            .configure(profiles::routes)
    });
    let server = server.on_connect(profiles::remember_connection);
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

pub(super) fn gateway_server(
    listener: TcpListener,
    shutdown: ShutdownConfig,
    runtime: RuntimeMetrics,
) -> anyhow::Result<Server> {
    let simulator = Simulator::default();
    let server = HttpServer::new(move || {
        runtime.watch("gateway");
        App::new()
            .app_data(web::Data::new(simulator.clone()))
            .configure(gateway_simulator::routes)
            .wrap(TracingLogger::<RequestSpan>::new())
    });
    Ok(server.workers(1).disable_signals().shutdown_timeout(shutdown.grace.as_secs()).listen(listener)?.run())
}
