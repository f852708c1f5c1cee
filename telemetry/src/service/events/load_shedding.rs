//! Load shedding.

crate::events! {
    "load shedding"

    /// Requests above the concurrency limit were rejected, at once and without a log record of their own: `refused` of them
    /// since the last such record. At most one record a second for each process.
    pub struct LoadShed: WARN "load_shed" { refused: u64 }
}
