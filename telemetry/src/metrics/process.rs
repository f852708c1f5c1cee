use std::fs;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Error, IntGauge, Opts, Registry};

use super::define::gauge;

/// CPU, memory and file descriptors of the process, and which build it is.
pub(super) fn register(registry: &Registry, memory_limit: Option<u64>) -> Result<(), Error> {
    registry.register(Box::new(ProcessCollector::for_self()))?;
    if let Some(limit) = memory_limit.or_else(cgroup_memory_limit) {
        let help = "The most memory that the process may use, in bytes; absent if there is no limit.";
        gauge(registry, "process_memory_limit_bytes", help)?.set(i64::try_from(limit).unwrap_or(i64::MAX));
    }
    let build = Opts::new("build_info", "Always 1; the labels say which build this is.")
        .const_label("version", env!("CARGO_PKG_VERSION"))
        .const_label("commit", option_env!("GLASSHOUSE_COMMIT").unwrap_or("unknown"));
    let build = IntGauge::with_opts(build)?;
    build.set(1);
    registry.register(Box::new(build))
}

/// What the container may use, as a process inside it sees it (cgroups, version 2 and 1).
fn cgroup_memory_limit() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    limit_in(&files.iter().find_map(|file| fs::read_to_string(file).ok())?)
}

/// Version 2 says `max` where there is no limit, version 1 a number beyond any memory.
fn limit_in(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::limit_in;

    #[test]
    fn no_limit_is_no_number() {
        let limits = ["268435456\n", "max\n", "9223372036854771712\n"].map(limit_in);
        assert_eq!(limits, [Some(268_435_456), None, None]);
    }
}
