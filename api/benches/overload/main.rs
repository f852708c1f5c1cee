//! How much of its peak throughput the service keeps under overload: `make overload`.
//!
//! First, clients that wait for each response find the peak (the closed model). Then requests are sent at fixed rates, however long the
//! responses take (the open model): the peak, twice and five times as many. Then a flood: 700 connections that send the next request
//! as soon as they have a response, without the pause of `Retry-After`. Each of these takes turns with the peak, and is compared
//! with that of its turn. After them, it measures how long the service needs until it serves half of the peak as before. At last,
//! one tenant sends five times the peak, and another one few requests, whose latency is compared with that without the flood. Prints
//! Markdown tables of ratios, which depend less on the machine than the numbers do; still, clients, service and database share its
//! cores.
//!
//! Runs a demo on the Postgres of `TEST_DATABASE_URL` and the Redis of `TEST_REDIS_URL`, in a database of its own, and without
//! them on SQLite. The argument, if any, is the length of each load in seconds (10).
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and has failed if it cannot go on"
)]

#[path = "../support/clients.rs"]
mod clients;
#[path = "../support/demo.rs"]
mod demo;
mod neighbor;
#[path = "../support/postgres.rs"]
mod postgres;
mod requests;
#[path = "../support/threads.rs"]
mod threads;

use std::time::Duration;

use self::clients::{Load, Outcome};
use self::demo::Demo;
use self::postgres::TemporaryDatabase;
use self::threads::block_on;

/// The numbers of clients among which the peak is found.
const CLIENTS: [usize; 4] = [4, 8, 16, 32];

/// The connections of the flood.
const FLOOD: usize = 700;

/// How often a load takes turns with the peak.
const ROUNDS: usize = 3;

/// How long the service may take to recover.
const RECOVERY: usize = 30;

/// Rate limits and limits of logins are not what is measured.
const SETTINGS: [(&str, &str); 3] = [
    ("GLASSHOUSE_RATE_LIMIT_FREE", "1000000/1000000"),
    ("GLASSHOUSE_RATE_LIMIT_PRO", "1000000/1000000"),
    ("GLASSHOUSE_RATE_LIMIT_ENTERPRISE", "1000000/1000000"),
];

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10);
    let length = Duration::from_secs(seconds);
    let database = block_on(TemporaryDatabase::create());
    let settings = database.as_ref().map(TemporaryDatabase::settings).unwrap_or_default();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let build = if cfg!(debug_assertions) { "development build" } else { "release build" };
    let storage = if database.is_some() { "Postgres" } else { "SQLite" };
    println!("{build}, {storage}, {} cores", std::thread::available_parallelism().unwrap());
    println!();
    let demo = Demo::start(None, &[&settings[..], &SETTINGS].concat());
    let flood = block_on(measure(&demo, length)) * 5.0;
    println!();
    neighbor::print_header();
    neighbor::measure(&demo, "no rate limits", flood, length);
    drop(demo);
    let limited = Demo::start(None, &settings);
    neighbor::measure(&limited, "the rate limits of the plans", flood, length);
}

/// Measures the service at its peak, above it, and after it. Returns the peak in requests per second.
async fn measure(demo: &Demo, length: Duration) -> f64 {
    let load = requests::load(demo, "acme").await;
    load.closed(CLIENTS[0], length / 2).await; // warms up
    println!(
        "| load | goodput in requests/s | of the peak, in each turn | shed | failed | p95 of successes | limit in flight |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let memory = demo.memory();
    demo.reset_peak_memory();
    let mut table = Table { demo, load: &load, length, peak: f64::MIN_POSITIVE, clients: CLIENTS[0] };
    for clients in CLIENTS {
        let outcome = load.closed(clients, length).await;
        if outcome.rate > table.peak {
            (table.peak, table.clients) = (outcome.rate, clients);
        }
        table.print(&format!("{clients} clients"), "", &outcome).await;
    }
    for factor in [1.0, 2.0, 5.0] {
        let open = async |peak: f64| load.open(peak * factor, length).await;
        table.in_turns(&format!("{factor} × the peak, open model"), open).await;
    }
    table.recovery().await;
    let flood = async |_peak| load.closed(FLOOD, length).await;
    table.in_turns(&format!("{FLOOD} connections without a pause"), flood).await;
    table.recovery().await;
    println!();
    println!("resident memory: {memory} MiB before, {} MiB at its peak", demo.peak_memory());
    table.peak
}

struct Table<'a> {
    demo: &'a Demo,
    load: &'a Load,
    length: Duration,
    /// The highest goodput without overload.
    peak: f64,
    /// The number of clients that reached it.
    clients: usize,
}

impl Table<'_> {
    /// Lets a load take turns with the clients that reached the peak: the machine may be faster for some seconds, and slower for
    /// others. `other` gets the peak of its turn. Prints the turn with the median share of its peak, and all shares.
    async fn in_turns(&self, name: &str, other: impl AsyncFn(f64) -> Outcome) {
        let mut turns = Vec::new();
        for _ in 0..ROUNDS {
            let peak = self.load.closed(self.clients, self.length / 2).await.rate;
            let outcome = other(peak).await;
            turns.push((outcome.rate * 100.0 / peak, outcome));
        }
        turns.sort_by(|(one, _), (another, _)| one.total_cmp(another));
        let shares: Vec<_> = turns.iter().map(|(share, _)| format!("{share:.0} %")).collect();
        self.print(name, &shares.join(", "), &turns[ROUNDS / 2].1).await;
    }

    async fn print(&self, name: &str, shares: &str, outcome: &Outcome) {
        let percent = |requests: usize| requests as f64 * 100.0 / outcome.requests() as f64;
        println!(
            "| {name} | {:.0} | {shares} | {:.1} % | {:.1} % | {:.0} ms | {} |",
            outcome.rate,
            percent(outcome.shed),
            percent(outcome.failed),
            outcome.percentile_ms(95),
            self.limit().await,
        );
    }

    /// The limit of in-flight requests.
    async fn limit(&self) -> String {
        let metrics = reqwest::get(format!("http://{}/metrics", self.demo.management)).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let limit = metrics.lines().find_map(|line| line.strip_prefix("http_requests_in_flight_limit "));
        limit.unwrap_or("none").to_owned()
    }

    /// Sends half of the peak, second by second, until 99 % of a second's requests succeed.
    async fn recovery(&self) {
        for second in 1..=RECOVERY {
            let outcome = self.load.open(self.peak / 2.0, Duration::from_secs(1)).await;
            if outcome.succeeded() * 100 >= outcome.requests() * 99 {
                return self.print(&format!("second {second} after it, 0.5 × the peak"), "", &outcome).await;
            }
        }
        println!("| not healthy {RECOVERY} s after it | | | | | | |");
    }
}
