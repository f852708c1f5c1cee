//! The headers in which proxies report a client: `Forwarded`, `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Real-IP`. The input is
//! what a client sends in them, as lines `name: value`.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use glasshouse_api::config::TrustedProxies;
use glasshouse_api::http::public::ClientAddress;

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "forwarded",
    seeds: &[
        "forwarded: for=192.0.2.1;proto=https, for=\"[2001:db8::1]:80\"",
        "forwarded: for=\"",
        "forwarded: for=\"a\\",
        "x-forwarded-for: 192.0.2.1, unknown,, [::1]:80, ::ffff:10.0.0.2",
        "x-forwarded-proto: https, HTTP",
        "x-real-ip: 192.0.2.1",
        "forwarded: for=10.0.0.9\nx-forwarded-for: 192.0.2.1\nx-real-ip: 10.0.0.2",
    ],
    dictionary: &[
        "forwarded: ",
        "x-forwarded-for: ",
        "x-forwarded-proto: ",
        "x-real-ip: ",
        "for=",
        "by=",
        "proto=https",
        "\"",
        "\\",
        "10.0.0.2",
        "203.0.113.7",
        "192.0.2.1",
        ",",
        ";",
        "\n",
        "_hidden",
        "unknown",
    ],
    run,
};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

thread_local! {
    static TRUSTED: TrustedProxies = "10.0.0.0/8,2001:db8:1::/48".parse().expect("networks");
}

fn run(input: &[u8]) {
    let sent = headers(input);
    let behind = |peer, headers: &HeaderMap| {
        TRUSTED.with(|trusted| {
            let (address, scheme) = ClientAddress::behind(peer, headers, trusted);
            (address.ip(), scheme)
        })
    };
    assert_eq!(behind(CLIENT, &sent), (CLIENT, None), "a client's own report was believed");
    let (address, _) = behind(PROXY, &sent);
    assert_eq!(address, address.to_canonical());

    // A proxy appends the client to what the client sent, on the same line or on one of its own.
    for name in ["forwarded", "x-forwarded-for"] {
        let appended = if name == "forwarded" { "for=203.0.113.7;proto=http" } else { "203.0.113.7" };
        let only: HeaderMap =
            sent.iter().filter(|(sent, _)| *sent == name).map(|(n, v)| (n.clone(), v.clone())).collect();
        for on_own_line in [true, false] {
            let reported = behind(PROXY, &append(only.clone(), name, appended, on_own_line)).0;
            // Where the report is not well-formed, it names no client.
            let is_forged = reported != CLIENT && (name == "x-forwarded-for" || reported != PROXY);
            assert!(!is_forged, "{name}: the client pretends to be {reported}");
        }
    }
}

fn headers(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Some(end) = line.windows(2).position(|pair| pair == b": ") else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..end]), HeaderValue::from_bytes(&line[end + 2..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

fn append(mut headers: HeaderMap, name: &'static str, hop: &str, on_own_line: bool) -> HeaderMap {
    let name = HeaderName::from_static(name);
    let mut lines: Vec<HeaderValue> = headers.remove(&name).collect();
    match lines.pop() {
        Some(last) if !on_own_line => {
            let line = [last.as_bytes(), b", ", hop.as_bytes()].concat();
            lines.push(HeaderValue::from_bytes(&line).expect("two values are one"));
        }
        last => {
            lines.extend(last);
            lines.push(HeaderValue::from_str(hop).expect("a hop is a value"));
        }
    }
    for line in lines {
        headers.append(name.clone(), line);
    }
    headers
}
