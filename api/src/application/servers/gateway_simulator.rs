//! The server of the payment-gateway simulator.

use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use glasshouse_telemetry::http::TracingLogger;
use glasshouse_telemetry::hub_per_request;
use glasshouse_telemetry::metrics::RuntimeMetrics;

use crate::config::ShutdownSettings;
use crate::gateway_simulator::{self, Simulator};
use crate::http::public::middleware::RequestSpan;

/// Serves the simulator's charges and its `/control` interface.
pub(in crate::application) fn gateway_simulator_server(
    listener: TcpListener,
    shutdown: ShutdownSettings,
    runtime: RuntimeMetrics,
) -> anyhow::Result<Server> {
    let simulator = Simulator::default();
    let server = HttpServer::new(move || {
        runtime.watch("gateway");
        App::new()
            .app_data(web::Data::new(simulator.clone()))
            .configure(gateway_simulator::routes)
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(hub_per_request())
    });
    Ok(server.workers(1).disable_signals().shutdown_timeout(shutdown.grace.as_secs()).listen(listener)?.run())
}
