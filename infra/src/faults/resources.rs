//! Faults that occupy resources. Dropping the future releases them.

use std::time::Duration;

use super::{HeldConnections, Memory};
use crate::db::ConnectionHolder;

const MIB: usize = 1024 * 1024;

/// Holds connections of the pool until the fault ends.
pub(super) async fn hold_connections(fault: HeldConnections, connections: ConnectionHolder) {
    let hold = connections.hold(fault.count.get());
    let _ended = tokio::time::timeout(fault.seconds.duration(), hold).await;
}

/// Allocates memory step by step, and holds it until the fault ends.
pub(super) async fn grow_memory(fault: Memory) {
    let size = |mib: u64| usize::try_from(mib).unwrap_or(0) * MIB;
    let (max, step) = (size(fault.mib.get()), size(fault.mib_per_second.get()));
    // One allocation, written to step by step: its pages become resident when they are written, and the allocator
    // returns one large block to the system when it is dropped.
    let mut block: Vec<u8> = Vec::with_capacity(max);
    let grow = async {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        while block.len() < max {
            tick.tick().await;
            block.resize((block.len() + step).min(max), 1);
        }
        std::future::pending::<()>().await;
    };
    let _ended = tokio::time::timeout(fault.seconds.duration(), grow).await;
}
