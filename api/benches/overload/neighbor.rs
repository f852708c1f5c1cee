//! What a tenant notices of the flood of another one.

use std::time::Duration;

use crate::clients::Outcome;
use crate::demo::Demo;
use crate::requests::load;
use crate::threads::{beside, block_on};

/// The requests per second of the tenant that is measured: a fraction of what its plan permits.
const RATE: f64 = 40.0;

pub(crate) fn print_header() {
    println!(
        "| 40 requests/s of a tenant | succeeded | p95 | p95 while another tenant sends 5 × the peak | ratio | requests/s of the other tenant | succeeded |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
}

/// Measures the requests of `acme` alone, and while `globex`, whose plan permits less, sends `flood` requests per second.
pub(crate) fn measure(demo: &Demo, limits: &str, flood: f64, length: Duration) {
    let measured = async || {
        let tenant = load(demo, "acme").await;
        tenant.open(RATE, length / 2).await; // warms up
        tenant.open(RATE, length).await
    };
    let alone = block_on(measured());
    // It goes on while the other tenant warms up.
    let (beside, other) = beside(measured, async || load(demo, "globex").await.open(flood, length * 2).await);
    let succeeded = |outcome: &Outcome| outcome.succeeded() as f64 * 100.0 / outcome.requests() as f64;
    println!(
        "| {limits} | {:.1} %, {:.1} % | {:.1} ms | {:.1} ms | {:.2} | {:.0} | {:.1} % |",
        succeeded(&alone),
        succeeded(&beside),
        alone.percentile_ms(95),
        beside.percentile_ms(95),
        beside.percentile_ms(95) / alone.percentile_ms(95),
        other.requests() as f64 / (2.0 * length.as_secs_f64()),
        succeeded(&other),
    );
}
