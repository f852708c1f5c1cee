//! The load under which a build with counters runs. The optimizer then prefers the code that requests ran.

use crate::bench::{Bench, joined, setting};
use crate::groups::{TENANTS, api, gateway, on};
use crate::load;
use crate::process::{Process, SILENT, Settings};

/// The connections of the load. Logins are limited, and more of them would be rejected.
const CONNECTIONS: usize = 8;

/// Sends requests of all kinds, with more and more telemetry.
pub(crate) fn train(bench: &Bench) {
    let (shop, gateway, receivers) = (bench.shop(), gateway(), bench.receivers());
    let all_requests = [
        shop.lists(TENANTS),
        shop.orders(TENANTS),
        shop.gets("/v1/products?limit=20", TENANTS),
        shop.gets("/v1/users?limit=20", TENANTS),
        shop.reports(TENANTS),
        shop.logins(),
    ];
    for telemetry in
        [setting(SILENT), Settings::new(), receivers.everything("0.1"), receivers.everything("1")]
    {
        let api = api(shop, &gateway, &telemetry);
        let _worker = Process::start("worker", &joined(&[&on(shop, &gateway), &telemetry]));
        for requests in &all_requests {
            load::closed(api.http(), CONNECTIONS, bench.length, requests);
        }
    }
}
