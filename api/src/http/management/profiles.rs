//! `/debug/pprof/flamegraph` and `/debug/pprof/profile`: CPU profiles of this process, recorded on request.

use std::future::pending;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY};
use actix_web::{HttpRequest, HttpResponse, web};
use glasshouse_telemetry::http::{Observe, TracingLogger};
use glasshouse_telemetry::profiles::{Format, RecordError, record};
use serde::Deserialize;

use crate::http::Draining;
use crate::http::problem::{Problem, ProblemDocuments, query_config};
use crate::http::public::middleware::RequestSpan;

/// A flame graph is searched and zoomed by its own script.
const FLAMEGRAPH_POLICY: &str =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// The maximum length of a recording, in seconds.
const MAX_SECONDS: u64 = 300;

#[derive(Clone, Deserialize)]
struct Recording {
    #[serde(default = "default_seconds")]
    seconds: u64,
    /// The route pattern of the endpoint whose requests are recorded; absent: the whole process.
    endpoint: Option<String>,
}

const fn default_seconds() -> u64 {
    60
}

async fn flamegraph(
    query: web::Query<Recording>,
    draining: web::Data<Draining>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let svg = record_cpu(query.into_inner(), Format::Flamegraph, &draining, &request).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, FLAMEGRAPH_POLICY))
        .content_type("image/svg+xml")
        .body(svg))
}

async fn profile(
    query: web::Query<Recording>,
    draining: web::Data<Draining>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let profile = record_cpu(query.into_inner(), Format::Pprof, &draining, &request).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"profile.pb.gz\""))
        .content_type("application/octet-stream")
        .body(profile))
}

async fn record_cpu(
    query: Recording,
    format: Format,
    draining: &Draining,
    request: &HttpRequest,
) -> Result<Vec<u8>, Problem> {
    if !(1..=MAX_SECONDS).contains(&query.seconds) {
        let detail = format!("seconds must be from 1 to {MAX_SECONDS}");
        return Err(Problem::bad_request("invalid_query", detail));
    }
    let recorded = tokio::select! {
        recorded = record(Duration::from_secs(query.seconds), format, query.endpoint) => recorded,
        () = process_stops(draining) => return Err(Problem::unavailable("stopping", "the process is stopping")),
        () = client_disconnects(request) => return Err(Problem::bad_request("client_left", "the client closed the connection")),
    };
    recorded.map_err(|error| match error {
        RecordError::Busy => {
            let detail = "another recording is in progress: retry when it has ended";
            Problem::conflict("profile_in_progress", detail)
        }
        RecordError::NoSamples => {
            let detail =
                "there are no CPU samples: the process was idle, or served no request of this endpoint";
            Problem::unavailable("no_samples", detail)
        }
        RecordError::Failed(cause) => Problem::internal(cause),
    })
}

/// How often a recording checks whether the process stops, and whether its client is still connected.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// A duplicate of a client's socket, which is peeked and never read.
struct Connection(TcpStream);

/// Stores a duplicate of the socket for the requests on it. While a handler waits, actix does not notice that the
/// client disconnects.
pub(crate) fn remember_connection(connection: &tokio::net::TcpStream, extensions: &mut Extensions) {
    // If this fails, a recording whose client disconnects continues to its end.
    if let Ok(descriptor) = connection.as_fd().try_clone_to_owned() {
        extensions.insert(Connection(TcpStream::from(descriptor)));
    }
}

/// A process that stops waits for its requests, and does not wait minutes for a recording.
async fn process_stops(draining: &Draining) {
    while !draining.is_on() {
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

async fn client_disconnects(request: &HttpRequest) {
    let Some(Connection(connection)) = request.conn_data() else { return pending().await };
    // The duplicate is non-blocking, like the original: `WouldBlock` means connected, and `Ok(0)` means closed.
    while !matches!(connection.peek(&mut [0]), Ok(0)) {
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// The routes of the profiles.
pub fn routes(config: &mut web::ServiceConfig) {
    let scope = web::scope("/debug/pprof")
        .app_data(query_config())
        .route("/flamegraph", web::get().to(flamegraph))
        .route("/profile", web::get().to(profile))
        .wrap(Observe::without_metrics().errors(ProblemDocuments))
        .wrap(TracingLogger::<RequestSpan>::new());
    config.service(scope);
}
