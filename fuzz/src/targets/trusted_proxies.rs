//! Networks of trusted proxies, separated by commas.

use std::net::IpAddr;

use glasshouse_api::config::TrustedProxies;
use ipnet::IpNet;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "trusted_proxies",
    seeds: &[
        "10.0.0.0/8, ::1,192.0.2.7,2001:db8::/32,",
        "::ffff:10.0.0.1",
        "::ffff:10.0.0.0/104",
        "::ffff:0:0/96",
        "0.0.0.0/0",
        "10.0.0.0/33",
        "proxy.example",
    ],
    dictionary: &[",", "/", "::ffff:", "10.0.0.0/8", "/0", "/96", "/128", "::", "fe80::1%1"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let trusted = match text.parse::<TrustedProxies>() {
        Ok(trusted) => trusted,
        Err(error) => {
            return says_what_to_do(&error);
        }
    };
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let network = item.parse().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
        let network: IpNet = network.expect("it was accepted");
        for address in [network.network(), network.broadcast()] {
            // A larger network than that of all IPv4 addresses is one of IPv6 addresses alone.
            let is_other =
                network.prefix_len() < 96 && network.addr().is_ipv6() && address.to_canonical().is_ipv4();
            assert!(is_other || trusted.contains(address), "{address} of {item} is not trusted");
        }
        let is_everything = ["0.0.0.0", "255.255.255.255"]
            .iter()
            .all(|address| network.contains(&address.parse::<IpAddr>().expect("an address")));
        assert!(!is_everything, "{item} trusts every client");
    }
    for address in ["10.1.2.3", "192.0.2.7", "203.0.113.9"] {
        let mapped = format!("::ffff:{address}");
        let [plain, mapped] =
            [address, &mapped].map(|address| trusted.contains(address.parse().expect("an address")));
        assert_eq!(plain, mapped, "one address has two forms");
    }
}
