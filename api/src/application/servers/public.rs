//! The server of the public interface.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, Condition, from_fn};
use actix_web::{App, HttpServer, web};
use glasshouse_telemetry::http::{Observe, TracingLogger};
use glasshouse_telemetry::hub_per_request;
use glasshouse_telemetry::metrics::RuntimeMetrics;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use crate::application::api_parts::ApiParts;
use crate::config::{HttpSettings, ShutdownSettings};
use crate::http::body::receive_body;
use crate::http::problem::ProblemDocuments;
use crate::http::public::middleware::{
    RequestSpan, believe_proxies, close_while_draining, inject_faults, shed_load, time_out,
};
use crate::http::public::{docs, unknown_route, v1};
use crate::http::{health, problem};

/// How long an idle connection stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Serves `/v1`, its documentation, and the health checks.
pub(in crate::application) fn public_server(
    listener: TcpListener,
    http: HttpSettings,
    shutdown: ShutdownSettings,
    parts: ApiParts,
    runtime: RuntimeMetrics,
) -> anyhow::Result<Server> {
    let limits = http.limits;
    let faults_are_enabled = parts.edge.faults.are_enabled();
    let server = HttpServer::new(move || {
        runtime.watch("http");
        let (json, query, path) = problem::extractor_configs(limits.body.bytes);
        // What is wrapped last runs first.
        let app = App::new().into_utoipa_app().configure(v1::routes).into_app();
        app.app_data(json)
            .app_data(query)
            .app_data(path)
            .app_data(web::Data::new(limits))
            .app_data(web::Data::new(http.trusted_proxies.clone()))
            .configure(|app| parts.register(app))
            .configure(health::routes)
            .service(web::redirect("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").url(docs::OPENAPI_PATH, docs::openapi()))
            .default_service(web::to(unknown_route))
            .wrap(Condition::new(faults_are_enabled, from_fn(inject_faults)))
            .wrap(from_fn(time_out))
            .wrap(from_fn(shed_load))
            .wrap(from_fn(receive_body))
            .wrap(Compress::default())
            .wrap(Observe::new(parts.edge.http_metrics.clone()).errors(ProblemDocuments))
            .wrap(from_fn(close_while_draining))
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(from_fn(believe_proxies))
            .wrap(hub_per_request())
    });
    let server = server
        .workers(http.workers)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(limits.header_timeout)
        .shutdown_timeout(shutdown.grace.as_secs())
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
