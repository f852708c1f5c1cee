//! Whether the size of the database matters to a tenant.

use crate::bench::{Bench, setting};
use crate::groups::{api, at_least, gateway};
use crate::load::{self, Requests};
use crate::process::SILENT;
use crate::results::{Findings, Goal, Unit};
use crate::series::Series;
use crate::shop::{Shop, Size};

/// The requests per second: few enough that none waits for another one.
const RATE: f64 = 50.0;

/// The tenants that send requests.
const TENANTS: usize = 10;

const SMALL: Size = Size { tenants: 10, orders: 1_000 };
const LARGE: Size = Size { tenants: 1_000, orders: 1_000_000 };

pub(super) fn measure(bench: &Bench) -> Findings {
    let length = at_least(3, bench.length);
    let gateway = gateway();
    let shops = [SMALL, LARGE].map(Shop::create);
    let processes = shops.each_ref().map(|shop| api(shop, &gateway, &setting(SILENT)));
    let p95 = |requests: fn(&Shop) -> Requests| {
        let measured = bench.rounds(&[0, 1], |index| {
            load::open(processes[*index].http(), RATE, length, &requests(&shops[*index])).percentile_ms(95)
        });
        [0, 1].map(|index| measured[index].iter().copied().collect::<Series>())
    };
    let [small_list, large_list] = p95(|shop| shop.lists(TENANTS));
    let scans = shops[1].sequential_scans();
    let [small_report, large_report] = p95(|shop| shop.reports(TENANTS));
    let scans = shops[1].sequential_scans() - scans;
    let mut findings = Findings::default();
    let (what, against) = ("list 20 orders: p95, 1,000,000 orders in 1,000 tenants", "1,000 in 10");
    findings.row(what, against, Goal::AtMost(1.3), Unit::Times, &large_list.ratio_to(&small_list));
    // A tenant of the large database has ten times as many orders.
    let each = |series: &Series, size: Size| series.times((size.tenants as f64) / size.orders as f64);
    let ratio = each(&large_report, LARGE).ratio_to(&each(&small_report, SMALL));
    let what = format!("revenue report: p95 for each order of the tenant; sequential scans: {scans}");
    findings.row(&what, against, Goal::AtMost(2.0), Unit::Times, &ratio);
    let line = |name: &str, size: Size, list: &Series, report: &Series| {
        let orders = size.orders / size.tenants;
        vec![name.to_owned(), orders.to_string(), list.summary().text(2), report.summary().text(2)]
    };
    let lines = vec![
        line("1,000 in 10", SMALL, &small_list, &small_report),
        line("1,000,000 in 1,000", LARGE, &large_list, &large_report),
    ];
    let headings =
        ["orders in tenants", "orders of a tenant", "list of 20, p95 ms", "report of 31 days, p95 ms"];
    findings.table("At 50 requests/s", &headings, lines);
    findings
}
