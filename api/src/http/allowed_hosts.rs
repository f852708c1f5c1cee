//! The hosts under which the management interface may be addressed.
//!
//! A page in the browser of an operator can let its own name resolve to the address of a private listener (DNS rebinding),
//! and is then of the same origin. Its requests have that name in `Host`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::problem::Problem;

/// The hosts under which a listener may be addressed: loopback, its own address, and configured names.
#[derive(Clone, Debug)]
pub struct AllowedHosts {
    address: IpAddr,
    names: Vec<String>,
}

/// The host of an authority.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case, without the dot of the root.
    Name(String),
}

impl AllowedHosts {
    /// The hosts of a listener on `address`. `names` are in lower case.
    #[must_use]
    pub fn new(address: SocketAddr, names: Vec<String>) -> Self {
        Self { address: address.ip(), names }
    }

    /// Whether the listener may be addressed by this authority, `host [ ":" port ]`.
    #[must_use]
    pub fn accepts(&self, authority: &str) -> bool {
        match Host::of(authority) {
            Some(Host::Name(name)) => name == "localhost" || self.names.contains(&name),
            // A process that listens on all addresses does not know them. No page can take over an address.
            Some(Host::Address(address)) => {
                address.to_canonical().is_loopback()
                    || address == self.address
                    || self.address.is_unspecified()
            }
            None => false,
        }
    }

    /// Whether the request addresses this listener. Forwarding headers do not count: a page can send them.
    fn accept(&self, request: &ServiceRequest) -> bool {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let in_target = request.uri().authority().is_none_or(|authority| self.accepts(authority.as_str()));
        in_target && host.is_some_and(|host| self.accepts(host))
    }
}

impl Host {
    /// The host of `host [ ":" port ]`; `None` if it is not of this form.
    fn of(authority: &str) -> Option<Self> {
        let (host, rest) = match authority.strip_prefix('[') {
            Some(address) => {
                let (address, rest) = address.split_once(']')?;
                (Self::Address(address.parse::<Ipv6Addr>().ok()?.into()), rest)
            }
            None => {
                let (host, rest) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                let name = || Self::Name(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase());
                (host.parse().map_or_else(|_| name(), Self::Address), rest)
            }
        };
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(host)
    }
}

/// Rejects requests for another host with 421 (RFC 9110, section 7.4). Health checks pass under any name: they reveal and
/// change nothing.
///
/// # Errors
/// When the next middleware fails.
pub async fn check_host(
    hosts: web::Data<AllowedHosts>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.path().starts_with("/health/") || hosts.accept(&request) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let detail = "the header Host must be localhost, an address of this listener, or a name in \
                  GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS";
    Ok(request.error_response(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name() {
        let name = |name: &str| Some(Host::Name(name.to_owned()));
        let address = |address: &str| Some(Host::Address(address.parse().unwrap()));
        for (authority, host) in [
            ("API.example.", name("api.example")),
            ("api:", name("api")),
            ("127.0.0.1:80", address("127.0.0.1")),
            ("[::1]:80", address("::1")),
            ("[::1]", address("::1")),
            ("::1", None),
            ("[::1]x", None),
            ("[::1", None),
            ("[api]", None),
            ("a:b", None),
            ("a:1:2", None),
            ("", name("")),
        ] {
            assert_eq!(Host::of(authority), host, "{authority}");
        }
    }

    #[test]
    fn only_a_listener_on_all_addresses_accepts_unknown_ones() {
        let on = |address: &str| AllowedHosts::new(address.parse().unwrap(), Vec::new());
        let (loopback, one, all) = (on("127.0.0.1:1"), on("192.0.2.1:1"), on("[::]:1"));
        for (host, accepted) in [
            ("[::ffff:127.0.0.1]", [true; 3]),
            ("127.8.8.8", [true; 3]),
            ("192.0.2.1:9", [false, true, true]),
            ("192.0.2.2", [false, false, true]),
            ("0.0.0.0", [false, false, true]),
            ("127.1", [false; 3]),
        ] {
            assert_eq!([&loopback, &one, &all].map(|hosts| hosts.accepts(host)), accepted, "{host}");
        }
    }
}
