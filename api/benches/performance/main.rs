//! The throughput and the cost of the service, beside the limit of its database: `make bench`.
//!
//! Starts the release build of the service on the Postgres of `TEST_DATABASE_URL` and the Redis of `TEST_REDIS_URL`, in
//! databases of its own, and sends requests from a thread of its own. What is compared runs in alternating rounds, so that
//! other load on the machine affects all of it alike; a result is the median of the rounds, with their spread. Writes
//! `docs/performance.json`, and the section of `docs/performance.md` between its marks. A run of some groups replaces their
//! results alone. Linux only: it reads `/proc`. Sends nothing over the network, and stops all processes at its end.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, blocks no executor, and has failed if it cannot go on"
)]

mod bench;
#[path = "../support/clients.rs"]
mod clients;
mod groups;
mod load;
#[path = "../support/memory.rs"]
mod memory;
mod pgbench;
#[path = "../support/postgres.rs"]
mod postgres;
mod process;
mod receivers;
mod results;
#[path = "../support/runtime.rs"]
mod runtime;
mod series;
mod shop;
mod training;

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Parser;

use self::bench::Bench;
use self::groups::GROUPS;
use self::results::Results;

/// Measures throughput and cost of the service.
#[derive(Debug, Parser)]
struct Arguments {
    /// The groups of measurements to run; all of them by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each measurement is repeated.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The length of a round, in seconds.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Lists the groups, and ends.
    #[arg(long)]
    list: bool,
    /// Prints the results without writing them to `docs`.
    #[arg(long)]
    dry_run: bool,
    /// Sends requests of all kinds, and measures nothing: for a build with counters.
    #[arg(long)]
    train: bool,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.list {
        GROUPS.iter().for_each(|group| println!("{:<10} {}", group.name, group.about));
        return;
    }
    let Arguments { only, rounds, seconds, dry_run, train, .. } = arguments;
    for name in &only {
        assert!(GROUPS.iter().any(|group| group.name == name), "no group {name:?}: see --list");
    }
    let bench = Bench::new(rounds.max(1), Duration::from_secs(seconds.max(1)));
    if train {
        training::train(&bench);
        return;
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let (file, page) = (docs.join("performance.json"), docs.join("performance.md"));
    let mut results = Results::read(&file);
    let order = GROUPS.map(|group| group.name);
    for group in GROUPS.iter().filter(|group| only.is_empty() || only.iter().any(|name| name == group.name)) {
        let begun = Instant::now();
        results.add(group.name, rounds, (group.measure)(&bench));
        println!("{} took {:.0} s", group.name, begun.elapsed().as_secs_f64());
    }
    println!("\n{}", results.markdown(&order));
    if !dry_run {
        results.write(&file, &page, &order);
    }
}
