//! The server of the public interface.

use std::net::TcpListener;

use actix_web::middleware::{Compress, Condition, from_fn};
use actix_web::{App, web};
use glasshouse_telemetry::http::{Observe, TracingLogger};
use glasshouse_telemetry::hub_per_request;
use glasshouse_telemetry::metrics::RuntimeMetrics;
use url::Url;
use utoipa_actix_web::AppExt;

use super::http_server::{HttpServer, RunningServer};
use crate::application::api_parts::ApiParts;
use crate::config::HttpSettings;
use crate::http::body::receive_body;
use crate::http::compress::{mark_small, unmark_small};
use crate::http::finish::finish_response;
use crate::http::head::route_head_as_get;
use crate::http::problem::{ProblemDocuments, document_bare_errors};
use crate::http::public::docs::{self, Documentation};
use crate::http::public::middleware::{
    RequestSpan, believe_proxies, inject_faults, reject_flood, reject_repeated_headers, shed_early,
    shed_load, slow_down_retries, time_out,
};
use crate::http::public::{routes, v1};
use crate::http::unknown_route::unknown_route;
use crate::http::{health, problem};

/// Serves `/v1`, its documentation, and the health checks; `/` leads to the console, if its address is given.
pub(in crate::application) fn public_server(
    server: HttpServer,
    listener: TcpListener,
    http: HttpSettings,
    parts: ApiParts,
    console: Option<Url>,
    runtime: RuntimeMetrics,
) -> anyhow::Result<RunningServer> {
    let limits = http.limits;
    let openapi = docs::openapi_for(&limits);
    let documentation = Documentation::new(&openapi)?;
    let faults_are_enabled = parts.edge.faults.are_enabled();
    for (method, path, statuses) in docs::outcomes(&openapi) {
        parts.edge.http_metrics.watch(method, path, statuses);
    }
    let routes = web::Data::new(routes::all(&openapi, console.is_some()));
    server.serve(listener, move || {
        runtime.watch("http");
        let (json, query, path) = problem::extractor_configs(limits.body.bytes);
        // What is wrapped last runs first.
        let app = App::new().into_utoipa_app().configure(v1::routes).into_app();
        app.app_data(json)
            .app_data(query)
            .app_data(path)
            .app_data(web::Data::new(limits))
            .app_data(web::Data::new(http.trusted_proxies.clone()))
            .app_data(routes.clone())
            .configure(|app| parts.register(app))
            .configure(health::routes)
            .configure(|app| documentation.register(app))
            .configure(|app| lead_to_console(app, console.as_ref()))
            .default_service(web::to(unknown_route))
            .wrap(from_fn(route_head_as_get))
            .wrap(from_fn(reject_repeated_headers))
            .wrap(Condition::new(faults_are_enabled, from_fn(inject_faults)))
            .wrap(from_fn(time_out))
            .wrap(from_fn(shed_load))
            .wrap(from_fn(receive_body))
            .wrap(from_fn(mark_small))
            .wrap(Compress::default())
            .wrap(from_fn(unmark_small))
            .wrap(from_fn(document_bare_errors))
            .wrap(Observe::new(parts.edge.http_metrics.clone()).errors(ProblemDocuments))
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(from_fn(reject_flood))
            .wrap(from_fn(shed_early))
            .wrap(from_fn(slow_down_retries))
            .wrap(from_fn(finish_response))
            .wrap(from_fn(believe_proxies))
            .wrap(hub_per_request())
    })
}

/// Redirects `/` to the console, which is on the management interface: nothing of that is on the public one.
fn lead_to_console(app: &mut web::ServiceConfig, console: Option<&Url>) {
    if let Some(url) = console.cloned() {
        let redirect = move || std::future::ready(web::Redirect::to(url.to_string()));
        app.route("/", web::get().to(redirect));
    }
}
