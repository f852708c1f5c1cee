//! The resident memory of a process, in MiB, from `/proc`.

/// The resident memory now.
pub(crate) fn resident(process: u32) -> u64 {
    status(process, "VmRSS:")
}

/// The largest resident memory since the last reset.
pub(crate) fn peak(process: u32) -> u64 {
    status(process, "VmHWM:")
}

/// Begins to measure the peak anew.
pub(crate) fn reset_peak(process: u32) {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
}

fn status(process: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
