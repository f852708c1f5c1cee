//! Whether `/metrics` grows with the number of tenants.

use std::time::{Duration, Instant};

use crate::bench::{Bench, setting};
use crate::groups::{api, gateway};
use crate::load;
use crate::process::{Process, SILENT};
use crate::results::{Findings, Goal, Unit};
use crate::runtime::block_on;
use crate::series::Series;
use crate::shop::Shop;

/// The tenants that are seen before the first and before the second series of scrapes.
const TENANTS: [usize; 2] = [10, 10_000];

/// The scrapes of a series.
const SCRAPES: usize = 21;

/// How much larger and slower a scrape may be.
const GOAL: f64 = 1.5;

pub(super) fn measure(_bench: &Bench) -> Findings {
    let gateway = gateway();
    let shop = Shop::create_empty_tenants(TENANTS[1]);
    let process = api(&shop, &gateway, &setting(SILENT));
    let series = TENANTS.map(|tenants| {
        // Every tenant is seen, and some of them more than once.
        let requests = shop.gets("/v1/users/me", tenants);
        load::open(process.http(), 1000.0, Duration::from_secs(12), &requests);
        block_on(scrapes(&process))
    });
    let [(few_size, few_time), (many_size, many_time)] = &series;
    let mut findings = Findings::default();
    let what = "/metrics after 10,000 tenants:";
    let size = many_size.ratio_to(few_size);
    findings.row(&format!("{what} size"), "after 10", Goal::AtMost(GOAL), Unit::Times, &size);
    let time = many_time.ratio_to(few_time);
    findings.row(&format!("{what} time"), "after 10", Goal::AtMost(GOAL), Unit::Times, &time);
    let lines = TENANTS.iter().zip(&series).map(|(tenants, (size, time))| {
        let size = size.times(1.0 / 1024.0).summary().text(0);
        vec![tenants.to_string(), size, time.summary().text(1)]
    });
    findings.table("`GET /metrics`", &["tenants seen", "KiB", "ms"], lines.collect());
    findings
}

/// The sizes in bytes, and the durations in milliseconds. The first scrape does not count.
async fn scrapes(process: &Process) -> (Series, Series) {
    let (mut sizes, mut times) = (Series::default(), Series::default());
    let client = reqwest::Client::new();
    for number in 0..=SCRAPES {
        let begun = Instant::now();
        let response = client.get(process.management("/metrics")).send().await.unwrap();
        let text = response.error_for_status().unwrap().text().await.unwrap();
        if number > 0 {
            sizes.push(text.len() as f64);
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    (sizes, times)
}
