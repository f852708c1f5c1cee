//! Injected faults.

use std::fmt::Display;

use crate::service::metrics::FaultMetrics;

crate::events! {
    "faults"

    /// An injected fault took effect.
    pub struct FaultInjected<'a>: WARN "fault_injected" { fault: &'a str }
    moves FaultMetrics { injected: |event, injected| injected.with([event.fault]).inc(); }

    /// The faults of a process were replaced; `faults` is their JSON.
    pub struct FaultsReplaced<'a>: WARN "faults_replaced" { faults: &'a str }

    /// All faults of a process were removed.
    pub struct FaultsEnded: WARN "faults_ended" {}

    /// The fault `held_connections` could not take another connection.
    pub struct FaultCouldNotHoldConnection<'a>: WARN "fault_could_not_hold_connection" { error: &'a dyn Display }
}
