//! Settings that every long-running process has.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use glasshouse_telemetry::service::metrics::MetricsSettings;

use super::console::ConsoleSettings;
use super::telemetry;
use crate::environment::Reader;

/// Management interface, metrics, fault injection and shutdown.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// The address on which the management interface listens.
    pub management_address: ListenAddress,
    /// The names, in lower case, under which the management interface may be addressed besides its addresses.
    pub management_hosts: Vec<String>,
    /// How metrics are labeled, and what memory is compared with.
    pub metrics: MetricsSettings,
    /// The console; `None` leaves it out.
    pub console: Option<ConsoleSettings>,
    /// Whether faults may be injected into this process.
    pub faults_are_enabled: bool,
    /// The phases of a shutdown.
    pub shutdown: ShutdownSettings,
}

/// The phases of a shutdown.
#[derive(Clone, Copy, Debug)]
pub struct ShutdownSettings {
    /// How long the process goes on serving after readiness turned 503, so that load balancers notice.
    pub drain: Duration,
    /// How long requests and background work may take to finish after that.
    pub grace: Duration,
}

impl ProcessSettings {
    pub(super) fn read(env: &mut Reader) -> Self {
        Self::read_with(env, |_| false)
    }

    /// Reads the settings of the demo. It has the console, and faults too if its management interface can be reached from this
    /// machine alone.
    pub(super) fn read_for_demo(env: &mut Reader) -> Self {
        Self::read_with(env, |address| address.is_loopback())
    }

    fn read_with(env: &mut Reader, is_open: impl FnOnce(&ListenAddress) -> bool) -> Self {
        let management_address = read_management_address(env);
        let by_default = is_open(&management_address);
        Self {
            management_address,
            console: ConsoleSettings::read(env, by_default),
            management_hosts: read_host_names(env, "GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS"),
            metrics: telemetry::read_metrics(env),
            faults_are_enabled: env.or("GLASSHOUSE_FAULTS_ENABLED", by_default),
            shutdown: ShutdownSettings::read(env),
        }
    }
}

/// Reads the address on which the management interface listens.
pub fn read_management_address(env: &mut Reader) -> ListenAddress {
    env.or("GLASSHOUSE_MANAGEMENT_ADDR", ListenAddress("127.0.0.1:9000".to_owned()))
}

/// `ADDRESS:PORT` or `HOST:PORT`. A host name is resolved when the socket is bound: in a container with several networks, a
/// name of one of them stands for the address in that network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress(String);

/// Not an address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address or a host name with a port, such as 127.0.0.1:9000")]
pub struct InvalidListenAddress;

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        let is_address = text.parse::<SocketAddr>().is_ok();
        let is_name = text.rsplit_once(':').is_some_and(|(host, port)| {
            let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            host.starts_with(|c: char| c.is_ascii_alphabetic())
                && host.chars().all(of_name)
                // A sign is part of a number for Rust, and not for those who connect.
                && port.bytes().all(|digit| digit.is_ascii_digit())
                && port.parse::<u16>().is_ok()
        });
        if is_address || is_name { Ok(Self(text.to_owned())) } else { Err(InvalidListenAddress) }
    }
}

impl ListenAddress {
    /// The address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this machine alone can reach the listener.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.parse::<SocketAddr>() {
            Ok(address) => address.ip().is_loopback(),
            Err(_) => self.0.starts_with("localhost:"),
        }
    }

    /// The address at which this machine reaches the listener. An unspecified address, such as 0.0.0.0, includes the
    /// loopback interface.
    #[must_use]
    pub fn local(&self) -> String {
        match self.0.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_unspecified() => {
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()).to_string()
            }
            _ => self.0.clone(),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads host names without ports, separated by commas.
fn read_host_names(env: &mut Reader, name: &'static str) -> Vec<String> {
    let text = env.text(name).unwrap_or_default();
    let names: Vec<_> = text.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    let is_host = |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if let Some(wrong) = names.iter().find(|host| !is_host(host)) {
        env.wrong(
            name,
            &format!("must be host names without ports, such as api,ops.example.com, not {wrong:?}"),
        );
    }
    names.into_iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect()
}

impl ShutdownSettings {
    fn read(env: &mut Reader) -> Self {
        let drain = env.number("GLASSHOUSE_SHUTDOWN_DRAIN_MS", 1_000, 0..=600_000);
        Self {
            drain: Duration::from_millis(drain),
            grace: env.seconds("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS", 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_has_an_address_or_a_name_with_a_port() {
        for text in ["127.0.0.1:9000", "[::1]:0", "api-management:9000", "localhost:0"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().as_str(), text);
        }
        for text in [
            "9000",
            "127.0.0.1",
            ":9000",
            "1.2.3:9000",
            "api:65536",
            "api:",
            "api:+80",
            "http://api:9000",
            "::1:9000",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_unspecified_address_is_reached_through_the_loopback_interface() {
        let local = |text: &str| text.parse::<ListenAddress>().unwrap().local();
        assert_eq!(local("0.0.0.0:9000"), "127.0.0.1:9000");
        assert_eq!(local("[::]:9000"), "127.0.0.1:9000");
        assert_eq!(local("10.0.0.1:9000"), "10.0.0.1:9000");
        assert_eq!(local("api-management:9000"), "api-management:9000");
    }
}
