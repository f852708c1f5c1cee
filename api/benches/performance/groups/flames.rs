//! Flame graphs of the endpoints that are measured, for `docs/pictures`.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::bench::{Bench, setting};
use crate::groups::{CONNECTIONS, TENANTS, api, gateway};
use crate::load;
use crate::process::{Process, SILENT};
use crate::results::Findings;
use crate::runtime::block_on;

/// The length of a recording, in seconds.
const SECONDS: u64 = 10;

pub(super) fn measure(bench: &Bench) -> Findings {
    let (shop, gateway) = (bench.shop(), gateway());
    let process = api(shop, &gateway, &setting(SILENT));
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    let mut lines = Vec::new();
    for (name, requests) in [("list", shop.lists(TENANTS)), ("checkout", shop.orders(TENANTS))] {
        let svg = thread::scope(|scope| {
            let recording = scope.spawn(|| block_on(record(&process)));
            // It begins before the recording has, and ends after it.
            load::closed(process.http(), CONNECTIONS, Duration::from_secs(SECONDS + 1), &requests);
            recording.join().expect("the recording ends")
        });
        let file = format!("flamegraph-{name}.svg");
        std::fs::write(pictures.join(&file), svg).unwrap();
        lines.push(vec![name.to_owned(), format!("[{file}](pictures/{file})")]);
    }
    let mut findings = Findings::default();
    findings.table("CPU profiles of the API, without telemetry, at full load", &["", "flame graph"], lines);
    findings
}

async fn record(process: &Process) -> String {
    let url = process.management(&format!("/debug/pprof/flamegraph?seconds={SECONDS}"));
    let response = reqwest::Client::new().get(url).send().await.unwrap();
    response.error_for_status().unwrap().text().await.unwrap()
}
