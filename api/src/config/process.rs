//! Settings that every long-running process has.

use std::net::SocketAddr;
use std::time::Duration;

use glasshouse_telemetry::service::metrics::MetricsSettings;

use super::telemetry;
use crate::environment::Reader;

/// Management interface, metrics, fault injection and shutdown.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// The address on which the management interface listens.
    pub management_address: SocketAddr,
    /// The names, in lower case, under which the management interface may be addressed besides its addresses.
    pub management_hosts: Vec<String>,
    /// How metrics are labeled, and what memory is compared with.
    pub metrics: MetricsSettings,
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
        Self {
            management_address: read_management_address(env),
            management_hosts: read_host_names(env, "GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS"),
            metrics: telemetry::read_metrics(env),
            faults_are_enabled: env.or("GLASSHOUSE_FAULTS_ENABLED", false),
            shutdown: ShutdownSettings::read(env),
        }
    }
}

/// Reads the address on which the management interface listens.
pub fn read_management_address(env: &mut Reader) -> SocketAddr {
    env.or("GLASSHOUSE_MANAGEMENT_ADDR", SocketAddr::from(([127, 0, 0, 1], 9000)))
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
