//! The header `Host` of the management interface. A browser must not reach it under a name of an attacker (DNS rebinding), so a
//! parser of browsers is the second implementation.

use std::net::IpAddr;

use glasshouse_api::http::AllowedHosts;
use url::{Host, Url};

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "host",
    seeds: &[
        "localhost:9000",
        "API.example.",
        "127.0.0.1",
        "[::1]:80",
        "192.0.2.1:",
        "a@localhost",
        "evil.example",
        "127.1",
    ],
    dictionary: &[
        "localhost",
        "api.example",
        "127.0.0.1",
        "[::1]",
        "192.0.2.1",
        ":",
        "@",
        ".",
        "%",
        "#",
        "\\",
        "/",
    ],
    run,
};

thread_local! {
    static HOSTS: AllowedHosts =
        AllowedHosts::new(([192, 0, 2, 1], 9000).into(), vec!["api.example".to_owned()]);
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    if !HOSTS.with(|hosts| hosts.accepts(text)) {
        return assert!(
            !["localhost", "api.example", "127.0.0.1", "[::1]", "192.0.2.1:9000"].contains(&text)
        );
    }
    let Ok(url) = Url::parse(&format!("http://{text}/")) else { return };
    let is_allowed = match url.host() {
        Some(Host::Domain(name)) => ["localhost", "api.example"].contains(&name.trim_end_matches('.')),
        Some(Host::Ipv4(address)) => is_own(address.into()),
        Some(Host::Ipv6(address)) => is_own(address.into()),
        None => false,
    };
    assert!(is_allowed, "{text:?} is {:?} for a browser", url.host());
}

fn is_own(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address == IpAddr::from([192, 0, 2, 1])
}
