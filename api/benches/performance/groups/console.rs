//! What the console costs at a steady load.

use std::rc::Rc;

use crate::bench::{Bench, setting};
use crate::groups::at_least;
use crate::load::{self, Requests, request};
use crate::process::Process;
use crate::results::{Findings, Goal, Unit};
use crate::runtime::block_on;
use crate::series::Series;

/// The requests per second.
const RATE: f64 = 500.0;

/// How much of a core the console may cost.
const GOAL: f64 = 0.05;

pub(super) fn measure(bench: &Bench) -> Findings {
    let length = at_least(4, bench.length);
    let processes = ["false", "true"].map(|on| Process::start("demo", &setting(("GLASSHOUSE_CONSOLE", on))));
    let tokens = [0, 1].map(|index| block_on(token(&processes[index])));
    let measured = bench.rounds(&[0, 1], |index| {
        let (process, token) = (&processes[*index], &tokens[*index]);
        let products = request("GET /v1/products", Some(token), "none", "");
        let requests: Requests = Rc::new(move |_| products.clone());
        let before = process.cpu_seconds();
        load::open(process.http(), RATE, length, &requests);
        (process.cpu_seconds() - before) / length.as_secs_f64()
    });
    let [off, on] = [0, 1].map(|index| measured[index].iter().copied().collect::<Series>());
    let mut findings = Findings::default();
    let what = "the console, at 500 requests/s: of a core";
    findings.row(what, "without it", Goal::AtMost(GOAL), Unit::Percent, &on.less(&off));
    let line = |name: &str, series: &Series| {
        vec![name.to_owned(), format!("{} %", series.times(100.0).summary().text(0))]
    };
    let lines = vec![line("off", &off), line("on", &on)];
    findings.table("`GET /v1/products` on SQLite, 500 requests/s", &["console", "CPU, of a core"], lines);
    findings
}

/// The access token of an owner of the demo.
async fn token(process: &Process) -> String {
    let login =
        serde_json::json!({ "tenant": "acme", "email": "owner@acme.example", "password": "demo-password" });
    let url = format!("http://{}/v1/auth/login", process.http());
    let response = reqwest::Client::new().post(url).json(&login).send().await.unwrap();
    let body: serde_json::Value = response.error_for_status().unwrap().json().await.unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}
