//! What each signal costs: on a handler that does nothing, and on a list of orders.

use std::rc::Rc;

use crate::bench::{Bench, Costs, cost, joined, setting};
use crate::groups::{CONNECTIONS, TENANTS, api, gateway};
use crate::load::{self, Requests, request};
use crate::process::{Process, SILENT, Settings};
use crate::receivers::Receivers;
use crate::results::{Findings, Goal, Unit};
use crate::shop::Shop;

/// The connections of the load on the trivial handler.
const FEW_CONNECTIONS: usize = 8;

/// The CPU time that a signal may cost, in microseconds.
const GOAL: f64 = 10.0;

/// Settings with one signal more than others.
struct Variant {
    name: &'static str,
    /// The index of the settings that it is compared with.
    base: usize,
    settings: Settings,
}

pub(super) fn measure(bench: &Bench) -> Findings {
    let variants = variants(bench.receivers());
    let mut findings = Findings::default();
    let live = request("GET /health/live", None, "none", "");
    let trivial = Load {
        name: "`GET /health/live`",
        shop: None,
        connections: FEW_CONNECTIONS,
        requests: Rc::new(move |_| live.clone()),
    };
    let demo = |settings: &Settings| Process::start("demo", settings);
    let costs = trivial.measure(bench, &variants, demo, &mut findings);
    for (variant, costs_of) in variants.iter().zip(&costs).skip(1) {
        let added = costs_of.service.less(&costs[variant.base].service).times(1000.0);
        let against = variants[variant.base].name.trim_start_matches("+ ");
        let what = format!("a trivial handler: {}", variant.name);
        findings.row(&what, against, Goal::AtMost(GOAL), Unit::Microseconds, &added);
    }
    let (shop, gateway) = (bench.shop(), gateway());
    let list = Load {
        name: "list 20 orders",
        shop: Some(shop),
        connections: CONNECTIONS,
        requests: shop.lists(TENANTS),
    };
    list.measure(bench, &variants, |settings| api(shop, &gateway, settings), &mut findings);
    findings
}

fn variants(receivers: &Receivers) -> [Variant; 8] {
    let with = |more: Settings| joined(&[&receivers.otlp("0.1"), &more]);
    let variant = |name, base, settings| Variant { name, base, settings };
    [
        variant("metrics alone", 0, setting(SILENT)),
        variant("+ log records", 0, Settings::new()),
        variant("+ OTLP: log records, 0 % of traces", 1, receivers.otlp("0")),
        variant("+ 10 % of traces", 2, receivers.otlp("0.1")),
        variant("+ 100 % of traces", 3, receivers.otlp("1")),
        variant("10 % of traces, + Sentry", 3, with(receivers.sentry())),
        variant("10 % of traces, + Pyroscope", 3, with(receivers.pyroscope())),
        variant("log records, + console", 1, setting(("GLASSHOUSE_CONSOLE", "true"))),
    ]
}

/// Requests to a process.
struct Load<'a> {
    name: &'a str,
    /// The database of the process, if its cost counts.
    shop: Option<&'a Shop>,
    connections: usize,
    requests: Requests,
}

impl Load<'_> {
    /// What this load costs a process with each of the settings.
    fn measure(
        &self,
        bench: &Bench,
        variants: &[Variant],
        start: impl Fn(&Settings) -> Process,
        findings: &mut Findings,
    ) -> Vec<Costs> {
        let processes: Vec<_> = variants.iter().map(|variant| start(&variant.settings)).collect();
        let measured = bench.rounds(&processes, |process| {
            let load = |process: &Process| {
                load::closed(process.http(), self.connections, bench.length, &self.requests)
            };
            cost(self.shop, process, load)
        });
        let costs: Vec<_> = measured.into_iter().map(Costs::from).collect();
        let lines = variants.iter().zip(&costs).map(|(variant, costs)| {
            let cpu = costs.service.times(1000.0).summary().text(0);
            vec![variant.name.to_owned(), cpu, costs.rate.summary().text(0)]
        });
        findings.table(self.name, &["", "CPU, µs a request", "requests/s"], lines.collect());
        costs
    }
}
