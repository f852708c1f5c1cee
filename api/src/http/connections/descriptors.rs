//! File descriptors, of which each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for files, threads, telemetry, the management interface and its connections.
const RESERVED: u64 = 192;

/// Raises the soft limit of open descriptors to the hard one, as servers do: the soft one is low for the sake of programs
/// that use `select`. Returns the limit; `None` if there is none.
pub fn raise_descriptor_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // If it is not permitted, the lower limit stays in force.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current
}

/// The number of connections that a server may have, if `wanted` are configured, within a limit of open descriptors. Pools
/// have `pooled` connections. A quarter of the rest is left to connections that requests make, such as those to the
/// payment gateway.
#[must_use]
pub fn connections_within(descriptors: Option<u64>, pooled: u64, wanted: usize) -> usize {
    let Some(descriptors) = descriptors else { return wanted };
    let available = descriptors.saturating_sub(RESERVED + pooled) / 4 * 3;
    usize::try_from(available).map_or(wanted, |available| available.min(wanted)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(connections_within(None, 26, 4096), 4096);
        assert_eq!(connections_within(Some(1_048_576), 26, 4096), 4096);
        assert_eq!(connections_within(Some(1024), 26, 4096), 603);
        assert_eq!(connections_within(Some(1024), 26, 100), 100);
        assert_eq!(connections_within(Some(64), 26, 4096), 1);
    }
}
