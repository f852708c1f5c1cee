//! Settings of the console.

use std::fmt;

use glasshouse_telemetry::recent::{RecentBounds, RecentTelemetry};
use url::Url;

use crate::environment::Reader;

/// The console: a page on the management interface, and the recent telemetry that it shows.
#[derive(Clone)]
pub struct ConsoleSettings {
    /// Where the recent traces of this process are kept.
    pub recent: RecentTelemetry,
    /// The Prometheus whose alerts the page shows.
    pub prometheus: Option<Url>,
}

impl fmt::Debug for ConsoleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address of Prometheus may have a password.
        let prometheus = self.prometheus.as_ref().map(|url| (url.host_str(), url.port_or_known_default()));
        f.debug_struct("ConsoleSettings").field("prometheus", &prometheus).finish_non_exhaustive()
    }
}

impl ConsoleSettings {
    /// Reads the settings; `None` without the console.
    pub(super) fn read(env: &mut Reader, by_default: bool) -> Option<Self> {
        let prometheus = env.text("GLASSHOUSE_PROMETHEUS_URL").and_then(|text| match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
            _ => {
                let problem = "must be the address of a Prometheus, such as http://127.0.0.1:9090";
                env.wrong("GLASSHOUSE_PROMETHEUS_URL", &problem);
                None
            }
        });
        let is_on = env.or("GLASSHOUSE_CONSOLE", by_default);
        is_on.then(|| Self { recent: RecentTelemetry::new(RecentBounds::default()), prometheus })
    }
}
