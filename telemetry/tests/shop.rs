//! The example `shop` as a process of its own, with receivers that speak the real protocols: each signal arrives.
#![allow(clippy::disallowed_macros, reason = "a service may write log records without `events!`")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use fake_opentelemetry_collector::FakeCollectorServer;
use reqwest::{Client, Response};
use serde_json::Value;

#[path = "../examples/shop.rs"]
mod shop;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Set in the process that is the shop.
const IS_SHOP: &str = "IS_SHOP";

/// Not a test: the process that the test starts, which is this binary again.
#[test]
fn shop_process() {
    if env::var_os(IS_SHOP).is_some() {
        shop::main().unwrap();
    }
}

/// An HTTP server that accepts all requests and remembers them: Sentry, Pyroscope and the service of prices.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

struct Received {
    path: String,
    traceparent: Option<String>,
    body: String,
}

impl Receiver {
    fn start() -> Self {
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let kept = web::Data::from(received.clone());
        let accept = async |request: HttpRequest, body: web::Bytes, kept: web::Data<Mutex<Vec<Received>>>| {
            let header = request.headers().get("traceparent");
            kept.lock().unwrap().push(Received {
                path: request.path().to_owned(),
                traceparent: header.map(|value| value.to_str().unwrap().to_owned()),
                body: String::from_utf8_lossy(&body).into_owned(),
            });
            HttpResponse::Ok().body("12 EUR")
        };
        let server = HttpServer::new(move || {
            let limit = web::PayloadConfig::new(64 * 1024 * 1024);
            App::new().app_data(kept.clone()).app_data(limit).default_service(web::to(accept))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        actix_web::rt::spawn(server.run());
        Self { address, received }
    }

    /// Whether a request to this path had this in its body.
    fn has(&self, path: &str, part: &str) -> bool {
        let received = self.received.lock().unwrap();
        received.iter().any(|request| request.path.contains(path) && request.body.contains(part))
    }
}

/// The shop. Dropping it kills it.
struct Shop {
    process: Child,
    stdout: Arc<Mutex<Vec<Value>>>,
    address: String,
}

impl Shop {
    async fn start(variables: &BTreeMap<&str, String>) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["shop_process", "--exact", "--nocapture"]).env_clear().envs(variables);
        let mut process = command.env(IS_SHOP, "1").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = Arc::<Mutex<Vec<Value>>>::default();
        let (lines, records) = (BufReader::new(process.stdout.take().unwrap()).lines(), stdout.clone());
        // The test harness writes other lines.
        let parsed = lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
        thread::spawn(move || parsed.for_each(|record| records.lock().unwrap().push(record)));
        let mut shop = Self { process, stdout, address: String::new() };
        let started = shop.logs("application_started").await;
        shop.address = started["addresses"].as_str().unwrap().trim_matches(['[', ']']).to_owned();
        shop
    }

    async fn get(&self, path: &str) -> Response {
        let request = Client::new().get(format!("http://{}{path}", self.address));
        request.header("traceparent", format!("00-{TRACE}-{CALLER}-01")).send().await.unwrap()
    }

    /// The first log record with this message.
    async fn logs(&self, message: &str) -> Value {
        eventually(message, async || {
            self.stdout.lock().unwrap().iter().find(|record| record["message"] == message).cloned()
        })
        .await
    }

    async fn terminate(&mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
        let status = eventually("the shop ends", async || self.process.try_wait().unwrap()).await;
        assert!(status.success(), "{status}");
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(result) = attempt().await {
            return result;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 seconds: {what}");
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
    }
}

#[actix_web::test]
async fn every_signal_of_the_shop_arrives() {
    let mut collector = FakeCollectorServer::start().await.unwrap();
    let (sentry, pyroscope, prices) = (Receiver::start(), Receiver::start(), Receiver::start());
    let mut shop = Shop::start(&BTreeMap::from([
        ("PORT", "0".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("SENTRY_DSN", format!("http://key@{}/1", sentry.address)),
        ("PYROSCOPE_SERVER_ADDRESS", format!("http://{}", pyroscope.address)),
        ("PRICES_URL", format!("http://{}/prices", prices.address)),
    ]))
    .await;

    // Log records have the field of the shop, and continue the caller's trace, as the response does.
    let response = shop.get("/shops/s-1/price").await;
    assert!(response.headers()["traceparent"].to_str().unwrap().starts_with(&format!("00-{TRACE}-")));
    assert_eq!(response.headers()["x-request-id"].len(), 36);
    assert_eq!(response.text().await.unwrap(), "12 EUR");
    let quoted = shop.logs("price_quoted").await;
    assert_eq!((&quoted["shop_id"], &quoted["trace_id"]), (&"s-1".into(), &TRACE.into()));
    let completed = shop.logs("request_completed").await;
    assert_eq!((&completed["status_code"], &completed["shop_id"]), (&200.into(), &"s-1".into()));

    // The called service can continue the trace.
    let called = prices.received.lock().unwrap()[0].traceparent.clone().unwrap();
    assert_eq!(called.split('-').nth(1), Some(TRACE));

    // An error event has the cause, the trace, and the tag of the shop.
    assert_eq!(shop.get("/shops/s-1/refund").await.status(), 500);
    eventually("the error event arrives", async || {
        let mut parts =
            ["the till is broken", "refund_requested", TRACE, r#""service":"shop","shop_id":"s-1""#]
                .into_iter();
        parts.all(|part| sentry.has("/api/1/envelope/", part)).then_some(())
    })
    .await;

    // The scrape has the metric of the shop beside those of every service, and none of Glasshouse.
    let scrape = shop.get("/metrics").await.text().await.unwrap();
    for series in [
        "price_quotes_total{source=\"remote\"} 1",
        "http_requests_total{endpoint=\"/shops/{id}/refund\",method=\"GET\",status=\"500\"} 1",
        "build_info{commit=\"unknown\",version=\"1.0.0\"} 1",
    ] {
        assert!(scrape.contains(series), "{series}: {scrape}");
    }
    for foreign in ["orders_total", "tenant", "cache_requests_total"] {
        assert!(!scrape.contains(foreign), "{foreign}: {scrape}");
    }

    // Samples carry the endpoint, on demand and continuously.
    let requests = async {
        loop {
            shop.get("/shops/s-1/price").await;
        }
    };
    let svg = tokio::select! {
        response = shop.get("/debug/flamegraph") => response.text().await.unwrap(),
        () = requests => unreachable!(),
    };
    assert!(svg.contains("/shops/{id}/price"), "{svg}");

    // What is queued arrives before the process ends.
    shop.terminate().await;
    assert!(pyroscope.has("/push.v1.PusherService/Push", "/shops/{id}/price"));
    let spans = collector.exported_spans(1, Duration::from_secs(10)).await;
    let root = spans.iter().find(|span| span.name == "GET /shops/{id}/refund").unwrap();
    assert_eq!((&*root.trace_id, &*root.parent_span_id), (TRACE, CALLER));
    assert!(root.attributes["shop.id"].contains("s-1"), "{:?}", root.attributes);
    let logs = collector.exported_logs(1, Duration::from_secs(10)).await;
    assert!(logs.iter().any(|log| format!("{log:?}").contains("price_quoted")), "{logs:?}");
}
