//! The server of the payment-gateway simulator.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, web};
use glasshouse_telemetry::http::TracingLogger;
use glasshouse_telemetry::hub_per_request;
use glasshouse_telemetry::metrics::RuntimeMetrics;

use super::http_server::{HttpServer, RunningServer};
use crate::config::BodyLimits;
use crate::gateway_simulator::{self, Simulator};
use crate::http::AllowedHosts;
use crate::http::body::{Bodies, BodyMemory, receive_body};
use crate::http::public::middleware::RequestSpan;

/// Limits of a request body.
const BODY: BodyLimits = BodyLimits { bytes: 16 * 1024, timeout: Duration::from_secs(5) };

/// The number of bodies that have room in memory.
const BODIES: usize = 256;

/// Serves the simulator's charges and its `/control` interface.
pub(in crate::application) fn gateway_simulator_server(
    server: HttpServer,
    listener: TcpListener,
    hosts: AllowedHosts,
    simulator: Simulator,
    runtime: RuntimeMetrics,
) -> anyhow::Result<RunningServer> {
    let bodies = Bodies { limits: BODY, memory: BodyMemory::for_requests(BODIES, BODY), metrics: None };
    server.serve(listener, move || {
        runtime.watch("gateway");
        App::new()
            .app_data(web::Data::new(simulator.clone()))
            .app_data(web::Data::new(bodies.clone()))
            .app_data(web::Data::new(hosts.clone()))
            .configure(gateway_simulator::routes)
            .wrap(from_fn(receive_body))
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(hub_per_request())
    })
}
