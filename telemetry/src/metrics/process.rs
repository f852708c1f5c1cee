//! CPU, memory and file descriptors of the process, its limits, and its build.

use std::fs;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Error, IntGauge, Opts};

use super::{Registrar, process_io};
use crate::Build;

/// Registers the metrics of the process. Without `memory_limit` (bytes), the limit is that of the container.
pub(super) fn register(
    registrar: &mut Registrar,
    memory_limit: Option<u64>,
    build: Option<Build>,
) -> Result<(), Error> {
    let process = ProcessCollector::for_self();
    registrar.describe(&process);
    registrar.export(process)?;
    process_io::register(registrar)?;
    // Both the affinity of the process and the quota of its container count.
    let cores =
        registrar.int_gauge("process_cpu_limit_cores", "CPU cores that the process may use at a time.")?;
    cores.set(
        std::thread::available_parallelism()
            .map_or(1, |cores| i64::try_from(cores.get()).unwrap_or(i64::MAX)),
    );
    let help = "Memory limit of the process, in bytes: the configured limit, or that of its container; absent without \
                a limit.";
    let memory = IntGauge::new("process_memory_limit_bytes", help)?;
    registrar.describe(&memory);
    if let Some(limit) = memory_limit.or_else(cgroup_memory_limit) {
        memory.set(i64::try_from(limit).unwrap_or(i64::MAX));
        registrar.export(memory)?;
    }
    let info = Opts::new("build_info", "Always 1; the labels identify the build.")
        .const_label("version", build.map_or("unknown", |build| build.version))
        .const_label("commit", build.and_then(|build| build.commit).unwrap_or("unknown"));
    let info = IntGauge::with_opts(info)?;
    info.set(1);
    registrar.describe(&info);
    if build.is_some() {
        registrar.export(info)?;
    }
    Ok(())
}

/// The memory limit of the container, as a process inside it sees it (cgroups, version 2 and 1).
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
