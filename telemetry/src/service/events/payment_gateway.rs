//! Calls to the payment gateway, and its simulator.

use std::fmt::Display;

crate::events! {
    "payment gateway"

    /// The gateway did not answer in time, after retries.
    pub struct PaymentGatewayTimeout<'a>: ERROR "payment_gateway_timeout" { payment_id: &'a dyn Display }

    /// The behavior of the gateway simulator was changed.
    pub struct GatewaySimulatorBehaviorChanged<'a>: INFO "gateway_simulator_behavior_changed" { behavior: &'a dyn Display }

    /// The gateway simulator behaves normally again.
    pub struct GatewaySimulatorBehaviorReset: INFO "gateway_simulator_behavior_reset" {}
}
