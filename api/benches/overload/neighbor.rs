//! What a tenant notices of the flood of another one.

use std::time::Duration;

use futures_util::future::join;

use crate::demo::Demo;
use crate::load::{Load, Outcome};
use crate::requests::Requests;

/// The requests per second of the tenant that is measured: a fraction of what its plan permits.
const RATE: f64 = 40.0;

pub(crate) fn print_header() {
    println!(
        "| 40 requests/s of a tenant | succeeded | p95 | p95 while another tenant sends 5 × the peak | ratio |"
    );
    println!("| --- | --- | --- | --- | --- |");
}

/// Measures the requests of `acme` alone, and while `globex`, whose plan permits less, sends `flood` requests per second.
pub(crate) async fn measure(demo: &Demo, limits: &str, flood: f64, length: Duration) {
    let tenant = Load::new(demo.address, Requests::prepare(demo, "acme").await);
    let other = Load::new(demo.address, Requests::prepare(demo, "globex").await);
    tenant.open(RATE, length / 2).await; // warms up
    let alone = tenant.open(RATE, length).await;
    let (beside, _) = join(tenant.open(RATE, length), other.open(flood, length)).await;
    let succeeded = |outcome: &Outcome| outcome.succeeded() as f64 * 100.0 / outcome.requests() as f64;
    println!(
        "| {limits} | {:.1} %, {:.1} % | {:.1} ms | {:.1} ms | {:.2} |",
        succeeded(&alone),
        succeeded(&beside),
        alone.p95_ms(),
        beside.p95_ms(),
        beside.p95_ms() / alone.p95_ms(),
    );
}
