//! Addresses to listen on: `ADDRESS:PORT` or `HOST:PORT`.

use glasshouse_api::config::ListenAddress;
use url::{Host, Url};

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "listen_address",
    seeds: &[
        "127.0.0.1:9000",
        "[::]:80",
        "api.internal:0",
        "0.0.0.0:65535",
        "api:65536",
        "api",
        "-a:1",
        ":1",
        "api:+1",
    ],
    dictionary: &[":", "[::1]", "0.0.0.0", "+", "-", ".", "65535"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    match text.parse::<ListenAddress>() {
        Ok(address) => {
            assert_eq!((address.as_str(), address.to_string()), (text, text.to_owned()));
            let (host, port) = text.rsplit_once(':').expect("a port");
            assert!(port.bytes().all(|byte| byte.is_ascii_digit()), "{text}: the port is no number");
            // The health check of the container calls it by this URL.
            let url = format!("http://{}/health/live", address.local());
            // Some names of resolvers are none of a URL, such as `a..b` and `1.2.3.4.5`.
            let Ok(url) = Url::parse(&url) else { return };
            assert_eq!(url.port_or_known_default(), port.parse().ok(), "{url}");
            let is_unspecified = matches!(url.host(), Some(Host::Ipv4(ip)) if ip.is_unspecified());
            assert!(!is_unspecified || host != "0.0.0.0", "{url}");
        }
        Err(error) => {
            assert!(text.parse::<std::net::SocketAddr>().is_err());
            says_what_to_do(&error);
        }
    }
}
