//! Resident memory: idle, under full load, and after many logins.

use std::thread::sleep;
use std::time::Duration;

use crate::bench::Bench;
use crate::groups::{CONNECTIONS, TENANTS, api, gateway};
use crate::load::{self, Requests};
use crate::memory::{peak, reset_peak, resident};
use crate::process::{Process, Settings};
use crate::results::{Findings, Goal, Unit};
use crate::series::Series;

/// How long a process is idle before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

/// The length of the full load, half of which are orders.
const LOADED: Duration = Duration::from_secs(10);

/// The logins.
const LOGINS: usize = 1_000;

pub(super) fn measure(bench: &Bench) -> Findings {
    let (shop, gateway) = (bench.shop(), gateway());
    let mut findings = Findings::default();
    let mut row = |what: &str, goal: f64, memory: u64| {
        let series: Series = [memory as f64].into_iter().collect();
        findings.row(what, "", Goal::AtMost(goal), Unit::Mebibytes, &series);
    };
    let (serve, demo) = (api(shop, &gateway, &Settings::new()), Process::start("demo", &Settings::new()));
    sleep(IDLE);
    row("memory, `serve`, idle", 40.0, resident(serve.id()));
    row("memory, demo, idle", 40.0, resident(demo.id()));
    drop(demo);

    let loaded = api(shop, &gateway, &bench.receivers().everything("0.1"));
    reset_peak(loaded.id());
    for requests in [shop.lists(TENANTS), shop.orders(TENANTS)] {
        load::closed(loaded.http(), CONNECTIONS, LOADED / 2, &requests);
    }
    row("memory, `serve`, peak at full load, all telemetry", 120.0, peak(loaded.id()));
    drop(loaded);

    let before = resident(serve.id());
    log_in(&serve, &shop.logins());
    sleep(IDLE);
    row(
        "memory, `serve`, after 1,000 logins, more than before",
        30.0,
        resident(serve.id()).saturating_sub(before),
    );
    findings
}

/// Logs in as often as [`LOGINS`], a few at a time.
fn log_in(process: &Process, logins: &Requests) {
    let mut left = LOGINS;
    while left > 0 {
        let outcome = load::closed(process.http(), 8, Duration::from_secs(1), logins);
        left = left.saturating_sub(outcome.succeeded());
    }
}
