//! Calls to the payment gateway, and its simulator.

use std::fmt::Display;
use std::time::Duration;

use crate::service::metrics::GatewayMetrics;

crate::events! {
    "payment gateway"

    /// The gateway did not answer in time, after retries.
    pub struct PaymentGatewayTimeout<'a>: ERROR "payment_gateway_timeout" { payment_id: &'a dyn Display }

    /// The circuit breaker opened: calls to the gateway are rejected for `pause`.
    pub struct PaymentGatewayCircuitOpened: WARN "payment_gateway_circuit_opened" { pause: Duration }
    moves GatewayMetrics { circuit_open: |_, circuit_open| circuit_open.set(1); }

    /// The circuit breaker closed: the gateway is called again.
    pub struct PaymentGatewayCircuitClosed: INFO "payment_gateway_circuit_closed" {}
    moves GatewayMetrics { circuit_open: |_, circuit_open| circuit_open.set(0); }

    /// The behavior of the gateway simulator was changed.
    pub struct GatewaySimulatorBehaviorChanged<'a>: INFO "gateway_simulator_behavior_changed" { behavior: &'a dyn Display }

    /// The gateway simulator behaves normally again.
    pub struct GatewaySimulatorBehaviorReset: INFO "gateway_simulator_behavior_reset" {}
}
