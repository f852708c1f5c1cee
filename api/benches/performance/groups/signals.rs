//! What each signal costs on a handler that does nothing.

use std::rc::Rc;

use crate::bench::{Bench, Costs, cost, joined, setting};
use crate::load::{self, Requests, request};
use crate::process::{Process, SILENT, Settings};
use crate::results::{Findings, Goal, Unit};

/// The connections of the load.
const CONNECTIONS: usize = 8;

/// The CPU time that a signal may cost, in microseconds.
const GOAL: f64 = 10.0;

pub(super) fn measure(bench: &Bench) -> Findings {
    let receivers = bench.receivers();
    let with = |more: Settings| joined(&[&receivers.otlp("0.1"), &more]);
    // Each with the one that it is compared with.
    let variants: [(&str, usize, Settings); 8] = [
        ("metrics alone", 0, setting(SILENT)),
        ("+ log records", 0, Settings::new()),
        ("+ OTLP: log records, 0 % of traces", 1, receivers.otlp("0")),
        ("+ 10 % of traces", 2, receivers.otlp("0.1")),
        ("+ 100 % of traces", 3, receivers.otlp("1")),
        ("10 % of traces, + Sentry", 3, with(receivers.sentry())),
        ("10 % of traces, + Pyroscope", 3, with(receivers.pyroscope())),
        ("log records, + console", 1, setting(("GLASSHOUSE_CONSOLE", "true"))),
    ];
    let processes: Vec<_> =
        variants.iter().map(|(_, _, settings)| Process::start("demo", settings)).collect();
    let live = request("GET /health/live", None, "none", "");
    let requests: Requests = Rc::new(move |_| live.clone());
    let measured = bench.rounds(&processes, |process| {
        let load = |process: &Process| load::closed(process.http(), CONNECTIONS, bench.length, &requests);
        cost(None, process, load)
    });
    let costs: Vec<_> = measured.into_iter().map(Costs::from).collect();
    let mut findings = Findings::default();
    for ((name, base, _), costs_of) in variants.iter().zip(&costs).skip(1) {
        let added = costs_of.service.less(&costs[*base].service).times(1000.0);
        let against = variants[*base].0.trim_start_matches("+ ");
        let what = format!("a trivial handler: {name}");
        findings.row(&what, against, Goal::AtMost(GOAL), Unit::Microseconds, &added);
    }
    let lines = variants.iter().zip(&costs).map(|((name, _, _), costs)| {
        let cpu = costs.service.times(1000.0).summary().text(0);
        vec![(*name).to_owned(), cpu, costs.rate.summary().text(0)]
    });
    findings.table("`GET /health/live`", &["", "CPU, µs a request", "requests/s"], lines.collect());
    findings
}
