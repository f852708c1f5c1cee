//! The server of the management interface.

use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use glasshouse_telemetry::hub_per_request;

use crate::http::health;
use crate::http::management::faults::{self, FaultPanel};
use crate::http::management::metrics::{self, Gauges};
use crate::http::management::profiles;
use crate::http::problem;
use crate::http::public::middleware::Draining;

/// The maximum size of a request body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// Serves health checks, metrics, profiles, and fault injection where it is enabled. Of these, only the health
/// checks are also part of the public interface.
pub(in crate::application) fn management_server(
    listener: TcpListener,
    gauges: Gauges,
    faults: FaultPanel,
    draining: Draining,
) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || {
        let (json, query, _) = problem::extractor_configs(MAX_BODY);
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
            .wrap(hub_per_request())
    });
    let server = server.on_connect(profiles::remember_connection);
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}
