//! The cost of each signal, and of unavailable receivers: `make bench-telemetry`.
//!
//! Starts one demo on SQLite for each variant of the settings, and sends the same requests to all of them in
//! alternating rounds, so that other load on the machine affects all of them alike. Prints two Markdown tables.
//! Sends nothing over the network, and stops all processes at its end. Linux only: it reads `/proc`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has failed if it cannot go on"
)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use fake_opentelemetry_collector::FakeCollectorServer;
use futures_util::future::join_all;
use serde_json::{Value, json};

const ROUNDS: usize = 7;
const REQUESTS: usize = 1500;
const CONNECTIONS: usize = 8;

/// How the connections pace their requests.
#[derive(Clone, Copy)]
enum Pace {
    /// Back to back: saturates the CPU.
    Full,
    /// One per this many milliseconds: latency without queueing.
    Every(u64),
}

/// 200 requests per second over all connections.
const STEADY: Pace = Pace::Every(40);

/// The unit of CPU time in `/proc` (`USER_HZ`, which is 100 on Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// A variant of the service's settings.
struct Variant {
    name: &'static str,
    settings: Vec<(&'static str, String)>,
}

/// A running service with its measurements.
struct Service {
    name: &'static str,
    process: Child,
    http: reqwest::Client,
    api: String,
    management: String,
    token: String,
    cpu_micros: Vec<f64>,
    latencies: Vec<Duration>,
    _data: tempfile::TempDir,
}

impl Service {
    async fn start(variant: Variant) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_glasshouse"));
        command.env_clear().envs([
            ("GLASSHOUSE_HTTP_ADDR", "127.0.0.1:0"),
            ("GLASSHOUSE_MANAGEMENT_ADDR", "127.0.0.1:0"),
            ("GLASSHOUSE_GATEWAY_ADDR", "127.0.0.1:0"),
            ("GLASSHOUSE_HTTP_WORKERS", "2"),
            ("GLASSHOUSE_RATE_LIMIT_FREE", "1000000/1000000"),
            ("GLASSHOUSE_RATE_LIMIT_PRO", "1000000/1000000"),
            ("GLASSHOUSE_RATE_LIMIT_ENTERPRISE", "1000000/1000000"),
            ("GLASSHOUSE_LOG_FORMAT", "json"),
            ("GLASSHOUSE_CONSOLE", "false"),
        ]);
        command.env("GLASSHOUSE_DATA_DIR", data.path()).envs(variant.settings);
        let mut process = command.arg("demo").stdout(Stdio::piped()).spawn().unwrap();
        let started = first_line(process.stdout.take().unwrap(), "application_started");
        let address = |field: &str| format!("http://{}", started[field].as_str().unwrap());
        let http = reqwest::Client::new();
        let api = address("http_addr");
        let login = json!({ "tenant": "acme", "email": "owner@acme.example", "password": "demo-password" });
        let token = http.post(format!("{api}/v1/auth/login")).json(&login).send().await.unwrap();
        let token: Value = token.error_for_status().unwrap().json().await.unwrap();
        Self {
            name: variant.name,
            process,
            management: address("management_addr"),
            token: token["access_token"].as_str().unwrap().to_owned(),
            cpu_micros: Vec::new(),
            latencies: Vec::new(),
            _data: data,
            http,
            api,
        }
    }

    async fn round(&mut self, pace: Pace, is_warm_up: bool) {
        let before = self.cpu_seconds();
        let latencies = join_all((0..CONNECTIONS).map(|_| self.requests(pace))).await;
        let spent = self.cpu_seconds() - before;
        if !is_warm_up {
            self.cpu_micros.push(spent * 1e6 / REQUESTS as f64);
            self.latencies.extend(latencies.into_iter().flatten());
        }
    }

    /// Sends the requests of one connection. Returns their latencies.
    async fn requests(&self, pace: Pace) -> Vec<Duration> {
        let mut ticks = match pace {
            Pace::Full => None,
            Pace::Every(milliseconds) => Some(tokio::time::interval(Duration::from_millis(milliseconds))),
        };
        let mut latencies = Vec::with_capacity(REQUESTS / CONNECTIONS);
        for _ in 0..REQUESTS / CONNECTIONS {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let begun = Instant::now();
            let request = self.http.get(format!("{}/v1/products", self.api)).bearer_auth(&self.token);
            request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
            latencies.push(begun.elapsed());
        }
        latencies
    }

    /// The CPU time of the process, from `/proc`: its metric has only whole seconds.
    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // After the name, which may contain spaces: the state, ten other fields, and then the times.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS_PER_SECOND
    }

    /// The sum of a metric's series.
    async fn metric(&self, name: &str) -> f64 {
        let text = self.http.get(format!("{}/metrics", self.management)).send().await.unwrap();
        let text = text.text().await.unwrap();
        let series = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// The median over the rounds.
    fn cpu(&self) -> f64 {
        let mut rounds = self.cpu_micros.clone();
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    }

    /// A percentile of the latencies, in milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let mut latencies = self.latencies.clone();
        latencies.sort();
        latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)].as_secs_f64() * 1000.0
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads log records until this event, and continues to read in the background.
fn first_line(stdout: impl std::io::Read + Send + 'static, event: &str) -> Value {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let parsed = lines.by_ref().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let line = parsed.into_iter().find(|line| line["message"] == event).expect("the service starts");
    std::thread::spawn(move || lines.for_each(drop));
    line
}

async fn measure(variants: Vec<Variant>, pace: Pace) -> Vec<Service> {
    let mut services = Vec::new();
    for variant in variants {
        services.push(Service::start(variant).await);
    }
    for round in 0..=ROUNDS {
        for service in &mut services {
            service.round(pace, round == 0).await;
        }
    }
    services
}

/// Starts a server that responds to every request with this status, over HTTP/1 and HTTP/2.
fn start_responder(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let respond = move || async move {
        HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).json(json!({}))
    };
    let app = move || App::new().default_service(web::to(respond));
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen_auto_h2c(listener).unwrap().run());
    address.to_string()
}

fn receivers(otlp: &str, sentry: &str, pyroscope: &str) -> Vec<(&'static str, String)> {
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{otlp}")),
        ("SENTRY_DSN", format!("http://key@{sentry}/1")),
        ("PYROSCOPE_SERVER_ADDRESS", format!("http://{pyroscope}")),
    ]
}

async fn cost_of_each_signal() {
    let collector = FakeCollectorServer::start().await.unwrap();
    let sink = start_responder(200);
    let [otlp, sentry, pyroscope]: [_; 3] =
        receivers(collector.endpoint().trim_start_matches("http://"), &sink, &sink).try_into().unwrap();
    // No record and no span of requests, but the record with the addresses.
    let quiet = ("RUST_LOG", "off,glasshouse_telemetry::service::events::process=info".to_owned());
    let sampled = |ratio: &str| {
        let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio".to_owned());
        vec![otlp.clone(), sampler, ("OTEL_TRACES_SAMPLER_ARG", ratio.to_owned())]
    };
    let with = |more: &(&'static str, String)| [sampled("0.1"), vec![more.clone()]].concat();
    let variants = vec![
        Variant { name: "metrics alone", settings: vec![quiet] },
        Variant { name: "+ log lines (the default)", settings: vec![] },
        Variant { name: "+ console", settings: vec![("GLASSHOUSE_CONSOLE", "true".to_owned())] },
        Variant { name: "+ OTLP, 0 % of traces", settings: sampled("0") },
        Variant { name: "+ OTLP, 10 % of traces", settings: sampled("0.1") },
        Variant { name: "+ OTLP, 100 % of traces", settings: sampled("1") },
        Variant { name: "10 % of traces, + Sentry", settings: with(&sentry) },
        Variant { name: "10 % of traces, + Pyroscope", settings: with(&pyroscope) },
    ];
    println!("\n| setting | CPU µs per request | against metrics alone |\n| --- | --- | --- |");
    let services = measure(variants, Pace::Full).await;
    let bare = services[0].cpu();
    for service in &services {
        println!(
            "| {} | {:.0} | {:+.0} % |",
            service.name,
            service.cpu(),
            (service.cpu() / bare - 1.0) * 100.0
        );
    }
}

async fn cost_of_dead_receivers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_address = silent.local_addr().unwrap().to_string();
    let failing = start_responder(500);
    let all = |address: &str| receivers(address, address, address);
    let variants = vec![
        Variant { name: "no receivers", settings: vec![] },
        Variant { name: "refuse connections", settings: all("127.0.0.1:1") },
        Variant { name: "accept and never answer", settings: all(&silent_address) },
        Variant { name: "answer 500", settings: all(&failing) },
    ];
    println!(
        "\nThe same at a steady 200 requests/s:\n\n| receivers | p50 ms | p99 ms | p99 against none | lost spans and lines | memory MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let services = measure(variants, STEADY).await;
    let bare = services[0].percentile(99);
    for service in &services {
        let (p50, p99) = (service.percentile(50), service.percentile(99));
        let against = (p99 / bare - 1.0) * 100.0;
        let lost = service.metric("telemetry_dropped_total").await;
        let memory = service.metric("process_resident_memory_bytes").await / 1024.0 / 1024.0;
        println!("| {} | {p50:.2} | {p99:.2} | {against:+.0} % | {lost:.0} | {memory:.0} |", service.name);
    }
}

#[actix_web::main]
async fn main() {
    println!("{ROUNDS} rounds of {REQUESTS} times GET /v1/products, {CONNECTIONS} connections");
    cost_of_each_signal().await;
    cost_of_dead_receivers().await;
}
