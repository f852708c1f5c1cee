//! The server of the management interface.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, web};
use glasshouse_telemetry::hub_per_request;

use super::http_server::{HttpServer, RunningServer};
use crate::config::BodyLimits;
use crate::http::body::{Bodies, BodyMemory, receive_body};
use crate::http::finish::finish_response;
use crate::http::head::route_head_as_get;
use crate::http::management::console::{self, ConsoleParts};
use crate::http::management::faults::{self, FaultPanel};
use crate::http::management::metrics::{self, Gauges};
use crate::http::management::{self, profiles};
use crate::http::problem::{self, document_bare_errors};
use crate::http::unknown_route::unknown_route;
use crate::http::{AllowedHosts, Draining, check_host, health};

/// Limits of a request body.
const BODY: BodyLimits = BodyLimits { bytes: 16 * 1024, timeout: Duration::from_secs(5) };

/// The number of bodies that have room in memory.
const BODIES: usize = 16;

/// Serves health checks, metrics, profiles, and fault injection and the console where they are enabled. Of these, only the health
/// checks are also part of the public interface.
pub(in crate::application) fn management_server(
    server: HttpServer,
    listener: TcpListener,
    hosts: AllowedHosts,
    gauges: Gauges,
    faults: FaultPanel,
    console: Option<ConsoleParts>,
    draining: Draining,
) -> anyhow::Result<RunningServer> {
    let bodies = Bodies { limits: BODY, memory: BodyMemory::for_requests(BODIES, BODY), metrics: None };
    let routes = web::Data::new(management::routes(faults.faults.are_enabled(), console.is_some()));
    let server = HttpServer { on_connect: profiles::remember_connection, ..server };
    server.serve(listener, move || {
        let (json, query, _) = problem::extractor_configs(BODY.bytes);
        let app = App::new();
        let app = if faults.faults.are_enabled() { app.configure(faults::routes) } else { app };
        let app = match &console {
            Some(parts) => app.configure(|config| console::routes(parts, config)),
            None => app,
        };
        app.app_data(json)
            .app_data(query)
            .app_data(web::Data::new(faults.clone()))
            .app_data(web::Data::new(gauges.dependencies().clone()))
            .app_data(web::Data::new(gauges.clone()))
            .app_data(web::Data::new(draining.clone()))
            .app_data(web::Data::new(bodies.clone()))
            .app_data(routes.clone())
            .app_data(web::Data::new(hosts.clone()))
            .configure(health::routes)
            .configure(metrics::routes)
            .configure(profiles::routes)
            .default_service(web::to(unknown_route))
            .wrap(from_fn(route_head_as_get))
            .wrap(from_fn(receive_body))
            .wrap(from_fn(check_host))
            .wrap(from_fn(document_bare_errors))
            .wrap(from_fn(finish_response))
            .wrap(hub_per_request())
    })
}
