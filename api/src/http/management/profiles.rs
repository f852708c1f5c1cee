//! `/debug/pprof/flamegraph` and `/debug/pprof/profile`, on the management interface: what the process does
//! with the CPU, from now on for some seconds.

use std::any::Any;
use std::future::pending;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpRequest, HttpResponse, web};
use glasshouse_telemetry::http::{Observe, TracingLogger};
use glasshouse_telemetry::profiles::{Format, RecordError, record};
use serde::Deserialize;

use crate::http::problem::{Problem, ProblemDocuments, query_config};
use crate::http::public::middleware::RequestSpan;

/// How long a recording may be.
const LONGEST: u64 = 300;

#[derive(Clone, Copy, Deserialize)]
struct Asked {
    #[serde(default = "a_minute")]
    seconds: u64,
}

const fn a_minute() -> u64 {
    60
}

async fn flamegraph(asked: web::Query<Asked>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let svg = recording(*asked, Format::Flamegraph, &request).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).content_type("image/svg+xml").body(svg))
}

async fn profile(asked: web::Query<Asked>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let profile = recording(*asked, Format::Pprof, &request).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"profile.pb.gz\""))
        .content_type("application/octet-stream")
        .body(profile))
}

async fn recording(asked: Asked, format: Format, request: &HttpRequest) -> Result<Vec<u8>, Problem> {
    if !(1..=LONGEST).contains(&asked.seconds) {
        let detail = format!("seconds must be from 1 to {LONGEST}");
        return Err(Problem::bad_request("invalid_query", detail));
    }
    let recorded = tokio::select! {
        recorded = record(Duration::from_secs(asked.seconds), format) => recorded,
        () = client_leaves(request) => return Err(Problem::bad_request("client_left", "nobody waits for it")),
    };
    recorded.map_err(|error| match error {
        RecordError::Busy => {
            let detail = "another recording is going on: try again when it has ended";
            Problem::conflict("profile_in_progress", detail)
        }
        RecordError::NoSamples => {
            let detail = "the process was idle: nothing used the CPU, so there is nothing to draw";
            Problem::unavailable("no_samples", detail)
        }
        RecordError::Failed(cause) => Problem::internal(cause),
    })
}

/// How often to see whether the client is still there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The connection of a client, to be looked at and not read.
struct Connection(TcpStream);

/// Remembers a connection for the requests on it. While a handler waits, actix does not see a client leave.
pub(crate) fn remember_connection(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(connection) = connection.downcast_ref::<tokio::net::TcpStream>() else { return };
    // Without it, a recording for a client that has left goes on to its end.
    if let Ok(descriptor) = connection.as_fd().try_clone_to_owned() {
        extensions.insert(Connection(TcpStream::from(descriptor)));
    }
}

async fn client_leaves(request: &HttpRequest) {
    let Some(Connection(connection)) = request.conn_data() else { return pending().await };
    // It is not blocking, as the one that it is a copy of. No byte to see is an error, and the end is none.
    while !matches!(connection.peek(&mut [0]), Ok(0)) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Adds the recordings to a server.
pub fn routes(config: &mut web::ServiceConfig) {
    let scope = web::scope("/debug/pprof")
        .app_data(query_config())
        .route("/flamegraph", web::get().to(flamegraph))
        .route("/profile", web::get().to(profile))
        .wrap(Observe::without_metrics().errors(ProblemDocuments))
        .wrap(TracingLogger::<RequestSpan>::new());
    config.service(scope);
}
