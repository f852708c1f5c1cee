//! What clients without a login can take from others: `make exhaustion`.
//!
//! Attacks a demo on SQLite in the ways that `attacks` lists, one after the other, each on a process of its own. Meanwhile
//! other callers use the service, and an operator its management port. Prints a Markdown table, for `docs/security.md`.
//! Sends nothing over the network, ends each attack after a fixed time, and stops all processes at its end. Linux only: it
//! reads `/proc`. Arguments, if any, are the names of the attacks to run.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and has failed if it cannot go on"
)]

mod attacks;
mod callers;
mod service;
#[path = "../support/threads.rs"]
mod threads;

use std::thread;
use std::time::Duration;

use self::attacks::{ATTACKS, Attack};
use self::callers::Callers;
use self::service::Service;
use self::threads::block_on;

/// How long other callers are measured without an attack.
const QUIET: Duration = Duration::from_secs(3);

/// How long an attack lasts.
const ATTACK: Duration = Duration::from_secs(10);

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let build = if cfg!(debug_assertions) { "development build" } else { "release build" };
    println!("{build}, {} cores", thread::available_parallelism().unwrap());
    println!();
    println!(
        "| attack | requests or connections of it | resident memory before | at its peak | 5 s after | requests of others that succeed | their p95 before | during | management port answers |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for attack in ATTACKS {
        if wanted.is_empty() || wanted.iter().any(|name| name == attack.name) {
            measure(&attack);
        }
    }
}

fn measure(attack: &Attack) {
    let service = block_on(Service::start(attack.descriptors, attack.settings));
    block_on(attack.prepare(&service));
    let quiet = block_on(Callers::run(&service, QUIET));
    let before = service.memory();
    service.reset_peak_memory();
    let (callers, repetitions) = threads::beside(
        async || Callers::run(&service, ATTACK).await,
        async || attack.run(&service, ATTACK).await,
    );
    let peak = service.peak_memory();
    block_on(async { tokio::time::sleep(Duration::from_secs(5)).await });
    println!(
        "| {} | {repetitions} | {before} MiB | {peak} MiB | {} MiB | {:.1} % | {:.0} ms | {:.0} ms | {:.0} % |",
        attack.description,
        service.memory(),
        callers.succeeded_percent(),
        quiet.p95_ms(),
        callers.p95_ms(),
        callers.management_percent(),
    );
    eprintln!("{}: failed {}", attack.name, callers.failures());
}
