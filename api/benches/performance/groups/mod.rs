//! The groups of measurements.

mod console;
mod flames;
mod isolation;
mod memory;
mod orders;
mod replicas;
mod scale;
mod scrape;
mod signals;
mod volume;

use std::time::Duration;

use crate::bench::{Bench, joined, setting};
use crate::process::{Process, Settings};
use crate::results::Findings;
use crate::shop::Shop;

/// A group of measurements.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) measure: fn(&Bench) -> Findings,
}

/// All groups, in the order of the page.
pub(crate) const GROUPS: [Group; 10] = [
    Group {
        name: "orders",
        about: "list 20 orders and place an order, against pgbench, without and with telemetry",
        measure: orders::measure,
    },
    Group {
        name: "signals",
        about: "CPU of each signal on a trivial handler, and on a list of 20 orders",
        measure: signals::measure,
    },
    Group { name: "console", about: "CPU of the console at 500 requests/s", measure: console::measure },
    Group { name: "isolation", about: "CPU of row-level security", measure: isolation::measure },
    Group {
        name: "scale",
        about: "a million orders in a thousand tenants, against a thousand in ten",
        measure: scale::measure,
    },
    Group { name: "scrape", about: "/metrics after ten thousand tenants", measure: scrape::measure },
    Group { name: "replicas", about: "two APIs and two workers, against one", measure: replicas::measure },
    Group { name: "memory", about: "idle, loaded, and after 1,000 logins", measure: memory::measure },
    Group { name: "volume", about: "log records, spans and rows of a request", measure: volume::measure },
    Group { name: "flames", about: "flame graphs of a list and a checkout", measure: flames::measure },
];

/// The connections of a load that saturates the service.
const CONNECTIONS: usize = 32;

/// The tenants among which such a load is spread: more than connections, so that hardly any two requests at a time are of the same tenant.
/// Two orders of the same product wait for each other, which the clients of `pgbench` do not do: each has a tenant of its own.
pub(crate) const TENANTS: usize = 100;

/// The payment-gateway simulator, without log records.
pub(crate) fn gateway() -> Process {
    Process::start("gateway", &setting(crate::process::SILENT))
}

/// An API process on the database of a shop.
pub(crate) fn api(shop: &Shop, gateway: &Process, settings: &Settings) -> Process {
    Process::start("serve", &joined(&[&on(shop, gateway), settings]))
}

/// The settings of a process that uses the database of a shop and the gateway.
pub(crate) fn on(shop: &Shop, gateway: &Process) -> Settings {
    let url = format!("http://{}", gateway.address("gateway_addr"));
    joined(&[&shop.settings(), &vec![("GLASSHOUSE_PAYMENT_GATEWAY_URL", url)]])
}

/// A round of at least this length.
fn at_least(seconds: u64, length: Duration) -> Duration {
    length.max(Duration::from_secs(seconds))
}
