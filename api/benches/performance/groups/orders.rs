//! Listing 20 orders and placing an order: against `pgbench`, and with all telemetry.

use crate::bench::{Bench, Cost, Costs, cost, joined, setting};
use crate::groups::{CONNECTIONS, TENANTS, api, gateway};
use crate::load::{self, Requests};
use crate::pgbench;
use crate::process::{Process, SILENT};
use crate::results::{Findings, Goal, Unit};

/// A request, with its goals.
struct Kind {
    name: &'static str,
    /// The scripts of `pgbench`, with their names. The first one is the limit of the goal.
    limits: &'static [(&'static str, &'static str)],
    requests: Requests,
    /// The ratio of the rate of the first of `limits`.
    of_the_limit: f64,
    /// CPU time of Postgres at commit c7baa42, on a machine of the same kind, in milliseconds; and the ratio of it.
    postgres: (f64, f64),
    /// CPU time of a tuned FastAPI service without row-level security, idempotency and outbox, in milliseconds. It was measured once,
    /// beside commit c7baa42, on a machine of the same kind.
    fastapi: Option<f64>,
    /// The ratio of the rate without telemetry, with 10 % and with 100 % of traces.
    with_telemetry: [f64; 2],
}

pub(super) fn measure(bench: &Bench) -> Findings {
    let shop = bench.shop();
    let gateway = gateway();
    let receivers = bench.receivers();
    let processes = [setting(SILENT), receivers.everything("0.1"), receivers.everything("1")]
        .map(|settings| api(shop, &gateway, &joined(&[&settings])));
    let kinds = [
        Kind {
            name: "list 20 orders",
            limits: &[("pgbench, a transaction", "list.sql"), ("pgbench, one statement", "list_in_one.sql")],
            requests: shop.lists(TENANTS),
            of_the_limit: 0.6,
            postgres: (0.355, 0.6),
            fastapi: Some(1.95),
            with_telemetry: [0.92, 0.85],
        },
        Kind {
            name: "place an order",
            limits: &[
                ("pgbench, 14 round trips", "order.sql"),
                ("pgbench, 7 round trips", "order_in_seven.sql"),
            ],
            requests: shop.orders(TENANTS),
            of_the_limit: 0.75,
            postgres: (1.7, 0.75),
            fastapi: None,
            with_telemetry: [0.95, 0.9],
        },
    ];
    let mut findings = Findings::default();
    for kind in &kinds {
        kind.measure(bench, &processes, &mut findings);
    }
    findings
}

/// What is measured.
enum Subject<'a> {
    /// `pgbench` with a script.
    Limit(&'static str),
    Service(&'a Process),
}

impl Kind {
    fn measure(&self, bench: &Bench, processes: &[Process; 3], findings: &mut Findings) {
        let shop = bench.shop();
        let of = |process: &Process| {
            let load =
                |process: &Process| load::closed(process.http(), CONNECTIONS, bench.length, &self.requests);
            cost(Some(shop), process, load)
        };
        // The limits come first: in the warm-up they fill the tables. A session of the service keeps the plans that it makes, and those for
        // empty tables read them from the beginning to the end.
        let limits = self.limits.iter().map(|(_, script)| Subject::Limit(script));
        let subjects: Vec<_> = limits.chain(processes.iter().map(Subject::Service)).collect();
        let measured = bench.rounds(&subjects, |subject| match subject {
            Subject::Limit(script) => pgbench::run(shop, &shop.url(), script, bench.length),
            Subject::Service(process) => of(process),
        });
        let costs: Vec<_> = measured.into_iter().map(|rounds: Vec<Cost>| Costs::from(rounds)).collect();
        self.report(&costs, findings);
    }

    /// Reports the costs of the limits and of the processes.
    fn report(&self, costs: &[Costs], findings: &mut Findings) {
        let [limit, .., off, some, all] = costs else { unreachable!("one for each subject") };
        let name = self.name;
        let rate = off.rate.ratio_to(&limit.rate);
        let goal = Goal::AtLeast(self.of_the_limit);
        findings.row(&format!("{name}, no telemetry"), self.limits[0].0, goal, Unit::Percent, &rate);
        let (before, ratio) = self.postgres;
        let against = format!("{before} ms at c7baa42");
        let goal = Goal::AtMost(before * ratio);
        findings.row(&format!("Postgres CPU, {name}"), &against, goal, Unit::Milliseconds, &off.postgres);
        if let Some(fastapi) = self.fastapi {
            let against = format!("an eighth of a tuned FastAPI's {fastapi} ms");
            let what = format!("service CPU, {name}, all telemetry, 10 % of traces");
            findings.row(&what, &against, Goal::AtMost(fastapi / 8.0), Unit::Milliseconds, &some.service);
        }
        for ((with, percent), goal) in [(some, 10), (all, 100)].into_iter().zip(self.with_telemetry) {
            let what = format!("{name}, all telemetry, {percent} % of traces");
            let rate = with.rate.ratio_to(&off.rate);
            findings.row(&what, "throughput without telemetry", Goal::AtLeast(goal), Unit::Percent, &rate);
        }
        let services = ["no telemetry", "all, 10 % of traces", "all, 100 % of traces"];
        let names = self.limits.iter().map(|(name, _)| *name).chain(services);
        let lines = names.zip(costs).map(|(name, costs)| {
            let Costs { rate, service, postgres, clients } = costs;
            let texts = [rate.summary().text(0), service.summary().text(3), postgres.summary().text(3)];
            let clients = clients.summary().text(2);
            [vec![name.to_owned()], texts.to_vec(), vec![clients]].concat()
        });
        let headings =
            ["", "requests/s", "service CPU, ms a request", "Postgres CPU, ms a request", "clients, cores"];
        findings.table(self.name, &headings, lines.collect());
    }
}
