//! What unavailable receivers of telemetry cost: `make bench-telemetry`. The group `signals` of `make bench` measures what each signal
//! costs while its receiver is available.
//!
//! Starts one demo on SQLite for each kind of receiver, and sends the same requests to all of them in alternating rounds, so that
//! other load on the machine affects all of them alike. Prints a Markdown table; a percentile is the median of those of the rounds.
//! Sends nothing over the network, and stops all processes at its end. Linux only: it reads `/proc`.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and has failed if it cannot go on"
)]

#[path = "support/clients.rs"]
#[expect(dead_code, reason = "other measurements send other loads")]
mod clients;
#[path = "support/demo.rs"]
#[expect(dead_code, reason = "other measurements read the peak of the memory")]
mod demo;

use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use serde_json::json;

use self::clients::{Load, Outcome, request};
use self::demo::Demo;

const ROUNDS: usize = 7;

/// The length of a round.
const LENGTH: Duration = Duration::from_millis(7500);

/// The requests per second: few enough that none waits for another one.
const RATE: f64 = 200.0;

const SETTINGS: [(&str, &str); 2] =
    [("GLASSHOUSE_HTTP_WORKERS", "2"), ("GLASSHOUSE_RATE_LIMIT_PRO", "1000000/1000000")];

/// A service with a kind of receiver, and the responses to its rounds.
struct Subject {
    receivers: &'static str,
    demo: Demo,
    load: Load,
    rounds: Vec<Outcome>,
}

impl Subject {
    /// Starts a service that sends all of its telemetry to this address, if there is one.
    async fn start(receivers: &'static str, address: Option<&str>) -> Self {
        let settings = address.map_or_else(Vec::new, |address| {
            vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
                ("SENTRY_DSN", format!("http://key@{address}/1")),
                ("PYROSCOPE_SERVER_ADDRESS", format!("http://{address}")),
            ]
        });
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let demo = Demo::start(None, &[&SETTINGS[..], &settings].concat());
        let token = demo.log_in("acme", "owner@acme.example", "demo-password").await;
        let products = request("GET /v1/products", Some(&token), "none", "");
        let load = Load::new(demo.address, Rc::new(move |_| products.clone()), Duration::MAX);
        Self { receivers, demo, load, rounds: Vec::new() }
    }

    async fn round(&self) -> Outcome {
        let outcome = self.load.open(RATE, LENGTH).await;
        let (failed, requests) = (outcome.failed, outcome.requests());
        assert_eq!(failed, 0, "failures of {requests} requests: {}", self.receivers);
        outcome
    }

    /// The median of a percentile of the latency, in milliseconds.
    fn percentile_ms(&self, percent: usize) -> f64 {
        let mut rounds: Vec<_> = self.rounds.iter().map(|round| round.percentile_ms(percent)).collect();
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    }

    /// The spans, log records, profiles and error events that were dropped.
    async fn dropped(&self) -> f64 {
        let metrics = reqwest::get(format!("http://{}/metrics", self.demo.management)).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let series = metrics.lines().filter(|line| line.starts_with("telemetry_dropped_total{"));
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

/// Starts a server that responds to every request with 500, over HTTP/1 and HTTP/2.
fn start_failing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let respond = async || HttpResponse::build(StatusCode::INTERNAL_SERVER_ERROR).json(json!({}));
    let app = move || App::new().default_service(web::to(respond));
    rt::spawn(HttpServer::new(app).workers(1).disable_signals().listen_auto_h2c(listener).unwrap().run());
    address.to_string()
}

#[actix_web::main]
async fn main() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent_address, failing) = (silent.local_addr().unwrap().to_string(), start_failing());
    let mut subjects = vec![
        Subject::start("no receivers", None).await,
        Subject::start("refuse connections", Some("127.0.0.1:1")).await,
        Subject::start("accept and never respond", Some(&silent_address)).await,
        Subject::start("respond with 500", Some(&failing)).await,
    ];
    for round in 0..=ROUNDS {
        for subject in &mut subjects {
            let outcome = subject.round().await;
            // The first one warms up.
            if round > 0 {
                subject.rounds.push(outcome);
            }
        }
    }
    println!("{ROUNDS} rounds of {:.1} s, {RATE} times GET /v1/products a second\n", LENGTH.as_secs_f64());
    println!(
        "| receivers | p50 ms | p99 ms | p99 compared with none | dropped spans and records | memory MiB | load shed |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let without = subjects[0].percentile_ms(99);
    for subject in &subjects {
        let (p50, p99) = (subject.percentile_ms(50), subject.percentile_ms(99));
        let (compared, dropped) = ((p99 / without - 1.0) * 100.0, subject.dropped().await);
        let (receivers, memory) = (subject.receivers, subject.demo.memory());
        // Where the machine is too busy for the rate; then the other numbers say little.
        let shed: usize = subject.rounds.iter().map(|round| round.shed).sum();
        println!(
            "| {receivers} | {p50:.2} | {p99:.2} | {compared:+.0} % | {dropped:.0} | {memory} | {shed} |"
        );
    }
}
