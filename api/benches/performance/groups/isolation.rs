//! What row-level security costs Postgres.

use crate::bench::{Bench, Costs};
use crate::groups::at_least;
use crate::pgbench;
use crate::results::{Findings, Goal, Unit};

/// How much more CPU time a transaction may take than without it.
const GOAL: f64 = 1.15;

pub(super) fn measure(bench: &Bench) -> Findings {
    let (shop, length) = (bench.shop(), at_least(4, bench.length));
    // What other groups wrote would be vacuumed and written to disk meanwhile.
    shop.vacuum();
    let mut findings = Findings::default();
    for (name, script) in [("list 20 orders", "list_in_one.sql"), ("place an order", "order_in_seven.sql")] {
        let urls = [shop.url(), shop.unrestricted_url()];
        let measured = bench.rounds(&urls, |url| pgbench::run(shop, url, script, length));
        let costs: Vec<_> = measured.into_iter().map(Costs::from).collect();
        let ratio = costs[0].postgres.ratio_to(&costs[1].postgres);
        let what = format!("row-level security, {name}: Postgres CPU");
        findings.row(&what, "a role that it does not bind", Goal::AtMost(GOAL), Unit::Times, &ratio);
        let line = |name: &str, costs: &Costs| {
            vec![name.to_owned(), costs.rate.summary().text(0), costs.postgres.summary().text(3)]
        };
        let lines = vec![line("with policies", &costs[0]), line("without", &costs[1])];
        let headings = ["", "transactions/s", "Postgres CPU, ms a transaction"];
        findings.table(&format!("{name}, by pgbench"), &headings, lines);
    }
    findings
}
