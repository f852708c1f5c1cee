//! How much telemetry and how many rows a request leaves, for `docs/scale.md`.

use std::thread::sleep;
use std::time::Duration;

use crate::bench::Bench;
use crate::groups::{TENANTS, api, gateway};
use crate::load;
use crate::receivers::{LOG_RECORDS, SPANS};
use crate::results::Findings;

/// The requests per second, few enough that no queue drops anything.
const RATE: f64 = 100.0;

/// How long the exporters may take to send what is queued.
const EXPORT: Duration = Duration::from_secs(3);

pub(super) fn measure(bench: &Bench) -> Findings {
    let (shop, gateway) = (bench.shop(), gateway());
    let process = api(shop, &gateway, &bench.receivers().otlp("1"));
    let kinds = [("list 20 orders", shop.lists(TENANTS)), ("place an order", shop.orders(TENANTS))];
    let lines = kinds.iter().map(|(name, requests)| {
        // The first requests fill caches.
        load::open(process.http(), RATE, Duration::from_secs(1), requests);
        sleep(EXPORT);
        let before = (process.log_bytes(), LOG_RECORDS.so_far(), SPANS.so_far());
        let outcome = load::open(process.http(), RATE, Duration::from_secs(5), requests);
        sleep(EXPORT);
        let after = (process.log_bytes(), LOG_RECORDS.so_far(), SPANS.so_far());
        let each =
            |after: u64, before: u64| format!("{:.1}", (after - before) as f64 / outcome.succeeded() as f64);
        vec![
            (*name).to_owned(),
            each(after.1.0, before.1.0),
            each(after.0, before.0),
            each(after.1.1, before.1.1),
            each(after.2.0, before.2.0),
            each(after.2.1, before.2.1),
        ]
    });
    let lines = lines.collect();
    let mut findings = Findings::default();
    let headings = [
        "",
        "log records",
        "JSON, bytes",
        "OTLP log records, bytes",
        "spans, where the trace is sampled",
        "OTLP spans, bytes",
    ];
    findings.table("Telemetry of a request, before compression", &headings, lines);
    let lines = vec![vec!["an order of three products".to_owned(), shop.bytes_of_an_order().to_string()]];
    findings.table("Rows and indexes of Postgres", &["", "bytes"], lines);
    findings
}
