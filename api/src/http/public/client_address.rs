//! The address of a request's client, and the scheme of its request. Proxies report both in headers, which any client can
//! send too: only those of trusted proxies are believed.

use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use glasshouse_telemetry::http::Scheme;
use ipnet::IpNet;

use crate::config::TrustedProxies;
use crate::http::problem::Problem;

/// The address of the client: the peer of the connection, or the one that trusted proxies report.
///
/// The middleware [`believe_proxies`](crate::http::public::middleware::believe_proxies) finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address. An IPv4 address is never in IPv6 notation.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// The client behind a peer, and its scheme if that is known to differ from the connection's.
    ///
    /// A report is a list of hops, to which each proxy appends the one that it was called by. So it is read from its end, up
    /// to the first hop that is no trusted proxy: that is the client. Where reports contradict each other, a client sent one
    /// of them and a proxy passed it through, so neither is believed.
    #[must_use]
    pub fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> (Self, Option<Scheme>) {
        let peer = peer.to_canonical();
        if !trusted.contains(peer) {
            return (Self(peer), None);
        }
        let is_proxy = |hop: IpAddr| trusted.contains(hop);
        let forwarded = list(headers, &header::FORWARDED);
        let hops = rfc7239::parse(&forwarded).map(|hop| {
            let hop = hop.ok()?;
            Some((hop.forwarded_for?.ip()?.to_canonical(), hop.protocol.and_then(scheme)))
        });
        let standard = hops.rev().find(|hop| !hop.is_some_and(|(hop, _)| is_proxy(hop))).flatten();
        let last = |name| items(&list(headers, name)).map(address).rfind(|hop| !hop.is_some_and(is_proxy));
        let addresses =
            [standard.map(|hop| hop.0), last(&X_FORWARDED_FOR).flatten(), last(&X_REAL_IP).flatten()];
        let schemes = [
            standard.and_then(|hop| hop.1),
            items(&list(headers, &X_FORWARDED_PROTO)).next_back().and_then(scheme),
        ];
        (Self(agreed(addresses).unwrap_or(peer)), agreed(schemes))
    }

    /// The addresses that one client can choose from: its IPv4 address alone, or the /64 network of its IPv6 address.
    /// Limits by address count by it.
    #[must_use]
    pub fn network(self) -> IpNet {
        let length = if self.0.is_ipv4() { 32 } else { 64 };
        IpNet::new(self.0, length).map_or_else(|_| IpNet::from(self.0), |network| network.trunc())
    }
}

impl FromRequest for ClientAddress {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let missing = || Problem::internal("the middleware `believe_proxies` is missing");
        ready(request.extensions().get().copied().ok_or_else(missing))
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Whether a header reports on a client.
pub(super) fn is_report(name: &HeaderName) -> bool {
    name == header::FORWARDED || name == X_REAL_IP || name.as_str().starts_with("x-forwarded-")
}

/// The value that all reports give that give one.
fn agreed<T: Copy + PartialEq>(reports: impl IntoIterator<Item = Option<T>>) -> Option<T> {
    let mut values = reports.into_iter().flatten();
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// All headers of this name, which are one list. U+FFFD replaces what is no text: bytes that a client sent must not hide what a
/// proxy appended to them.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines = headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    lines.collect::<Vec<_>>().join(",")
}

fn items(list: &str) -> impl DoubleEndedIterator<Item = &str> {
    list.split(',').map(str::trim)
}

/// An address, which some proxies write with a port.
fn address(item: &str) -> Option<IpAddr> {
    let bare = item.strip_prefix('[').and_then(|item| item.strip_suffix(']')).unwrap_or(item);
    let with_port = || item.parse().ok().map(|address: SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

fn scheme(text: &str) -> Option<Scheme> {
    match text.trim_matches('"') {
        text if text.eq_ignore_ascii_case("http") => Some(Scheme::Http),
        text if text.eq_ignore_ascii_case("https") => Some(Scheme::Https),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";
    const CLIENT: &str = "203.0.113.7";

    /// The address and the scheme of a request from `peer` with these headers.
    fn found(peer: &str, reports: &[(&'static str, &str)]) -> (String, Option<Scheme>) {
        let mut headers = HeaderMap::new();
        for (name, value) in reports {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let trusted = "10.0.0.0/8,2001:db8:1::/48".parse().unwrap();
        let (address, scheme) = ClientAddress::behind(peer.parse().unwrap(), &headers, &trusted);
        (address.ip().to_string(), scheme)
    }

    #[test]
    fn headers_of_a_peer_that_is_no_proxy_are_not_read() {
        for report in [
            ("forwarded", "for=192.0.2.1;proto=https"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-real-ip", "192.0.2.1"),
        ] {
            assert_eq!(found(CLIENT, &[report]), (CLIENT.to_owned(), None), "{report:?}");
        }
        assert_eq!(found("::ffff:203.0.113.7", &[]).0, CLIENT, "one client has one address");
    }

    #[test]
    fn the_last_hop_that_is_no_proxy_is_the_client() {
        for report in [
            ("forwarded", "for=203.0.113.7"),
            ("forwarded", "for=192.0.2.1, for=203.0.113.7;by=10.0.0.2, for=10.0.0.2"),
            ("forwarded", "For=\"203.0.113.7:4711\";Proto=http"),
            ("forwarded", "for=\"[::ffff:203.0.113.7]\""),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "192.0.2.1,spoofed ,203.0.113.7 , 10.0.0.2"),
            ("x-forwarded-for", "203.0.113.7:4711"),
            ("x-forwarded-for", "::ffff:203.0.113.7, 2001:db8:1::2, [2001:db8:1::2], [2001:db8:1::3]:80"),
            ("x-real-ip", "203.0.113.7"),
        ] {
            assert_eq!(found(PROXY, &[report]).0, CLIENT, "{report:?}");
        }
        let lines = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", CLIENT)];
        assert_eq!(found(PROXY, &lines).0, CLIENT, "a proxy may append a line of its own");
        assert_eq!(found(PROXY, &[("x-forwarded-for", "2001:db8:2::7")]).0, "2001:db8:2::7");
    }

    #[test]
    fn what_is_no_address_ends_a_list() {
        for report in [
            ("forwarded", "for=203.0.113.7, for=unknown, for=10.0.0.2"),
            ("forwarded", "for=_hidden"),
            ("forwarded", "for=203.0.113.7, nonsense"),
            ("forwarded", "for=203.0.113.7, proto=https"),
            ("forwarded", "for=\"203.0.113.7"),
            ("forwarded", ""),
            ("x-forwarded-for", "203.0.113.7, secret"),
            ("x-forwarded-for", "203.0.113.7,,"),
            ("x-forwarded-for", "203.0.113.7.8"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-real-ip", "secret"),
        ] {
            let expected = if report.1 == "for=\"203.0.113.7" { CLIENT } else { PROXY };
            assert_eq!(found(PROXY, &[report]).0, expected, "{report:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_what_a_proxy_appended() {
        let trusted = "10.0.0.0/8".parse().unwrap();
        for (name, line) in [
            (X_FORWARDED_FOR, &b"\xff, 203.0.113.7"[..]),
            (X_FORWARDED_FOR, b"192.0.2.1, gr\xf6\xdfe, 203.0.113.7, 10.0.0.2"),
            (header::FORWARDED, b"for=\xff, for=203.0.113.7"),
        ] {
            let headers = [(name, HeaderValue::from_bytes(line).unwrap())].into_iter().collect();
            let (address, _) = ClientAddress::behind(PROXY.parse().unwrap(), &headers, &trusted);
            assert_eq!(address.ip().to_string(), CLIENT, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn reports_that_contradict_each_other_are_not_believed() {
        let (agree, differ) = (("x-forwarded-for", CLIENT), ("x-forwarded-for", "192.0.2.1"));
        for other in [("forwarded", "for=203.0.113.7"), ("x-real-ip", CLIENT), ("x-real-ip", "10.0.0.2")] {
            assert_eq!(found(PROXY, &[agree, other]).0, CLIENT, "{other:?}");
        }
        for other in [("forwarded", "for=203.0.113.7"), ("x-real-ip", CLIENT)] {
            assert_eq!(found(PROXY, &[differ, other]).0, PROXY, "{other:?}");
        }
    }

    #[test]
    fn the_scheme_is_http_or_https() {
        let scheme = |reports: &[_]| found(PROXY, reports).1;
        for (report, expected) in [
            (("forwarded", "for=203.0.113.7;proto=https"), Some(Scheme::Https)),
            (("forwarded", "for=203.0.113.7;proto=\"HTTPS\", for=10.0.0.2;proto=http"), Some(Scheme::Https)),
            (("forwarded", "for=203.0.113.7;proto=secret"), None),
            (("forwarded", "proto=secret"), None),
            (("x-forwarded-proto", "https"), Some(Scheme::Https)),
            (("x-forwarded-proto", "https, HTTP"), Some(Scheme::Http)),
            (("x-forwarded-proto", "secret"), None),
            (("x-forwarded-proto", "ws"), None),
        ] {
            assert_eq!(scheme(&[report]), expected, "{report:?}");
        }
        let contradiction = [("forwarded", "for=203.0.113.7;proto=http"), ("x-forwarded-proto", "https")];
        assert_eq!(scheme(&contradiction), None);
    }

    #[test]
    fn limits_count_an_ipv6_network_as_one_client() {
        let network = |address: &str| ClientAddress(address.parse().unwrap()).network().to_string();
        assert_eq!(network("203.0.113.7"), "203.0.113.7/32");
        assert_eq!(network("2001:db8:2:3:4:5:6:7"), "2001:db8:2:3::/64");
    }
}
