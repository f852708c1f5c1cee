//! Unavailable receivers of telemetry do not affect the service: no request fails, memory is bounded, and drops
//! are counted. `make bench-telemetry` measures their effect on latency.

use std::cell::Cell;
use std::net::TcpListener;

use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use glasshouse_telemetry::{SIGNALS, Signal};
use reqwest::Method;
use serde_json::json;
use url::Url;

use crate::command_line::Stack;
use crate::support::{Client, Scrape, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusing_connections() {
    check("127.0.0.1:1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_and_never_responding() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    check(&silent.local_addr().unwrap().to_string()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responding_with_500() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = || App::new().default_service(web::to(HttpResponse::InternalServerError));
    // HTTP/1 for Sentry and Pyroscope, HTTP/2 for gRPC.
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0);
    tokio::spawn(server.listen_auto_h2c(listener).unwrap().run());
    check(&address).await;
}

/// The maximum growth of memory by a load, in bytes.
const GROWTH: f64 = 64.0 * 1024.0 * 1024.0;

async fn check(address: &str) {
    let receivers: Vec<_> =
        SIGNALS.iter().map(|signal| (signal.variable, receiver_of(signal, address))).collect();
    let faults = ("GLASSHOUSE_FAULTS_ENABLED", "true");
    let settings = receivers.iter().map(|(variable, value)| (*variable, value.as_str()));
    let mut stack = Stack::start(settings.chain([faults])).await;
    let (owner, product, _) = stack.shop().await;
    let management = stack.serve.client("management_addr").await;
    // Errors to be captured, beside the requests that must not fail.
    let errors = json!({ "errors": { "endpoint": "/v1/users/me" } });
    management.send(Method::PUT, "/faults", Some(errors)).await.expect(200);

    // Nothing is less than this, so that the first load passes only beside a second one.
    let resident = Cell::new(f64::NEG_INFINITY);
    // Once everything is loaded that stays, such as the tables that find the lines of a profile, a load adds nothing.
    eventually("a load adds no memory", async || {
        load(&owner, &product).await;
        let after = Scrape::of(&management).await.sum("process_resident_memory_bytes", "");
        (after - resident.replace(after) < GROWTH).then_some(())
    })
    .await;

    for Signal { name, .. } in SIGNALS {
        eventually(&format!("dropped {name} are counted"), async || {
            let dropped = Scrape::of(&management).await.sum("telemetry_dropped_total", name);
            (dropped > 0.0).then_some(())
        })
        .await;
    }
}

/// The value of a signal's variable that sends it to `address`: its example with another host.
pub(crate) fn receiver_of(signal: &Signal, address: &str) -> String {
    let example = Url::parse(signal.example).unwrap();
    let user = match example.username() {
        "" => String::new(),
        key => format!("{key}@"),
    };
    format!("http://{user}{address}{}", example.path())
}

/// Some hundred requests, eight at a time, none of which may fail because of telemetry.
async fn load(owner: &Client, product: &str) {
    let requests = async || {
        for _ in 0..15 {
            owner.get("/v1/products").await.expect(200);
            owner.order(product, 1).await.expect(201);
            owner.get("/v1/users/me").await.expect_problem(500, "internal_server_error");
        }
    };
    join_all((0..8).map(|_| requests())).await;
}
