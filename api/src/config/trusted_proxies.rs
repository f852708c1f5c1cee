//! The proxies in front of the public HTTP server.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::environment::Reader;

/// The networks of the proxies whose headers about a client are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// Not a list of addresses and networks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxies {
    /// An item is neither an address nor a network.
    #[error(
        "must be IP addresses or networks in CIDR notation with commas between them, such as 10.0.0.0/8,::1, \
         not {0:?}"
    )]
    NotANetwork(String),
    /// A network has all addresses, so that every client would be a proxy.
    #[error("{0} trusts every client: name the networks of the proxies alone")]
    Everything(IpNet),
}

impl TrustedProxies {
    pub(super) fn read(env: &mut Reader) -> Self {
        env.or("GLASSHOUSE_TRUSTED_PROXIES", Self::default())
    }

    /// Whether a proxy has this address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidProxies;

    fn from_str(text: &str) -> Result<Self, InvalidProxies> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(network).collect::<Result<_, _>>().map(Self)
    }
}

fn network(item: &str) -> Result<IpNet, InvalidProxies> {
    let address = || Some(IpNet::from(item.parse::<IpAddr>().ok()?));
    match item.parse().ok().or_else(address).map(canonical) {
        Some(everything) if everything.prefix_len() == 0 => Err(InvalidProxies::Everything(everything)),
        Some(network) => Ok(network),
        None => Err(InvalidProxies::NotANetwork(item.to_owned())),
    }
}

/// A network of IPv4 addresses in IPv6 notation, such as `::ffff:10.0.0.0/104`, in its own notation, in which addresses are
/// compared.
fn canonical(network: IpNet) -> IpNet {
    let (address, length) = (network.network().to_canonical(), network.prefix_len());
    match length.checked_sub(96).filter(|_| address.is_ipv4() && network.addr().is_ipv6()) {
        Some(length) => IpNet::new(address, length).unwrap_or(network),
        None => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_and_networks() {
        let trusted: TrustedProxies = "10.0.0.0/8, ::1,192.0.2.7,2001:db8::/32,".parse().unwrap();
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "::1", "192.0.2.7", "2001:db8:1::2"] {
            assert!(trusted.contains(address.parse().unwrap()), "{address}");
        }
        for address in ["11.0.0.1", "192.0.2.8", "::2", "2001:db9::1"] {
            assert!(!trusted.contains(address.parse().unwrap()), "{address}");
        }
        let mapped: TrustedProxies = "::ffff:10.0.0.0/104,::ffff:192.0.2.7".parse().unwrap();
        for (address, is_trusted) in
            [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("192.0.2.7", true), ("11.0.0.1", false)]
        {
            assert_eq!(mapped.contains(address.parse().unwrap()), is_trusted, "{address}");
        }
        assert!(!TrustedProxies::default().contains(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn what_is_no_network_and_the_network_of_everyone_are_rejected() {
        for text in ["proxy.example", "10.0.0.0/33", "10.0.0.0/8;::1", "10.0.0", "/8"] {
            let invalid = text.parse::<TrustedProxies>();
            assert!(matches!(invalid, Err(InvalidProxies::NotANetwork(_))), "{text}: {invalid:?}");
        }
        for text in ["0.0.0.0/0", "10.0.0.0/8,::/0", "::ffff:0:0/96"] {
            let invalid = text.parse::<TrustedProxies>();
            assert!(matches!(invalid, Err(InvalidProxies::Everything(_))), "{text}: {invalid:?}");
        }
    }
}
