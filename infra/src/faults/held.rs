//! Faults that hold something. Dropping the future lets go of it.

use std::time::Duration;

use super::{HeldConnections, Memory};
use crate::db::ConnectionHolder;

const MIB: usize = 1024 * 1024;

/// Takes connections from the pool, and keeps them until the fault ends.
pub(super) async fn hold_connections(fault: HeldConnections, connections: ConnectionHolder) {
    let hold = connections.hold(fault.count.get());
    let _ended = tokio::time::timeout(fault.seconds.duration(), hold).await;
}

/// Takes memory step by step, and keeps it until the fault ends.
pub(super) async fn grow_memory(fault: Memory) {
    let size = |mib: u64| usize::try_from(mib).unwrap_or(0) * MIB;
    let (most, step) = (size(fault.mib.get()), size(fault.mib_per_second.get()));
    // Asked for at once and written to step by step: the memory becomes resident as it is written, and one
    // large block goes back to the system as soon as it is dropped.
    let mut held: Vec<u8> = Vec::with_capacity(most);
    let grow = async {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        while held.len() < most {
            tick.tick().await;
            held.resize((held.len() + step).min(most), 1);
        }
        std::future::pending::<()>().await;
    };
    let _ended = tokio::time::timeout(fault.seconds.duration(), grow).await;
}
