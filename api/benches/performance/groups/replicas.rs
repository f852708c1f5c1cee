//! Whether a second process of each kind adds throughput, and does nothing twice.

use std::thread;

use crate::bench::{Bench, setting};
use crate::groups::{CONNECTIONS, TENANTS, api, at_least, gateway, on};
use crate::load;
use crate::process::{Process, SILENT};
use crate::results::{Findings, Goal, Unit};
use crate::series::Series;
use crate::shop::{Shop, Size};

/// The cores that two APIs, two workers, Postgres, Redis and the clients need to show it.
const CORES: usize = 8;

const SIZE: Size = Size { tenants: TENANTS, orders: 2_000 };

pub(super) fn measure(bench: &Bench) -> Findings {
    let length = at_least(2, bench.length);
    let (gateway, shop) = (gateway(), Shop::create(SIZE));
    let silent = setting(SILENT);
    let apis = [0, 1].map(|_| api(&shop, &gateway, &silent));
    let workers = [0, 1].map(|_| Process::start("worker", &[on(&shop, &gateway), silent.clone()].concat()));
    let measured = bench.rounds(&[1, 2], |count| {
        // Each with clients of its own.
        thread::scope(|scope| {
            let loads = apis.iter().take(*count).map(|api| {
                let (address, shop) = (api.http(), &shop);
                scope.spawn(move || {
                    load::closed(address, CONNECTIONS / count, length, &shop.orders(TENANTS)).rate
                })
            });
            let loads: Vec<_> = loads.collect();
            loads.into_iter().map(|load| load.join().expect("the load ends")).sum::<f64>()
        })
    });
    let [one, two] = [0, 1].map(|index| measured[index].iter().copied().collect::<Series>());
    drop((apis, workers));
    let is_clean = shop.passes_audit();
    let mut findings = Findings::default();
    let books = if is_clean { "nothing is done twice" } else { "**the audit finds errors**" };
    let what = format!("two APIs and two workers, place an order; audit: {books}");
    findings.row(&what, "one API", Goal::AtLeast(1.6), Unit::Times, &two.ratio_to(&one));
    if thread::available_parallelism().map_or(1, usize::from) < CORES {
        findings.without_verdict();
    }
    let lines = [("one API", one), ("two APIs", two)];
    let lines = lines.iter().map(|(name, rate)| vec![(*name).to_owned(), rate.summary().text(0)]);
    findings.table("Place an order, two workers", &["", "requests/s"], lines.collect());
    findings
}
