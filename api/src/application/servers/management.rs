//! The server of the management interface.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use glasshouse_telemetry::hub_per_request;

use crate::config::BodyLimits;
use crate::http::body::{Bodies, BodyMemory, receive_body};
use crate::http::health;
use crate::http::management::faults::{self, FaultPanel};
use crate::http::management::metrics::{self, Gauges};
use crate::http::management::profiles;
use crate::http::problem;
use crate::http::public::middleware::Draining;

/// Limits of a request body.
const BODY: BodyLimits = BodyLimits { bytes: 16 * 1024, timeout: Duration::from_secs(5) };

/// The number of bodies that have room in memory.
const BODIES: usize = 16;

/// Serves health checks, metrics, profiles, and fault injection where it is enabled. Of these, only the health
/// checks are also part of the public interface.
pub(in crate::application) fn management_server(
    listener: TcpListener,
    gauges: Gauges,
    faults: FaultPanel,
    draining: Draining,
) -> anyhow::Result<Server> {
    let bodies = Bodies { limits: BODY, memory: BodyMemory::for_requests(BODIES, BODY), metrics: None };
    let server = HttpServer::new(move || {
        let (json, query, _) = problem::extractor_configs(BODY.bytes);
        let app = App::new();
        let app = if faults.faults.are_enabled() { app.configure(faults::routes) } else { app };
        app.app_data(json)
            .app_data(query)
            .app_data(web::Data::new(faults.clone()))
            .app_data(web::Data::new(gauges.dependencies().clone()))
            .app_data(web::Data::new(gauges.clone()))
            .app_data(web::Data::new(draining.clone()))
            .app_data(web::Data::new(bodies.clone()))
            .configure(health::routes)
            .configure(metrics::routes)
            .configure(profiles::routes)
            .wrap(from_fn(receive_body))
            .wrap(hub_per_request())
    });
    let server = server.on_connect(profiles::remember_connection);
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}
