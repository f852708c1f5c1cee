//! The client of the payment gateway. The id of a payment is the idempotency key of every request, so each may be
//! retried.

pub mod ledger;
pub mod wire;

use glasshouse_domain::id::PaymentId;
use glasshouse_domain::payment::{ChargeOutcome, GatewayFailure, PaymentGateway};
use glasshouse_domain::values::Money;
use glasshouse_telemetry::service::events::payment_gateway::PaymentGatewayTimeout;
use reqwest::{Method, RequestBuilder};

use self::wire::{Charge, ChargeRequest, IDEMPOTENCY_KEY};
use crate::outbound::{Call, CallFailure, OutboundClient};

/// The client. Clones share the connections and the circuit breaker.
#[derive(Clone, Debug)]
pub struct GatewayClient(OutboundClient);

impl GatewayClient {
    /// A client that sends its calls with `client`.
    #[must_use]
    pub const fn new(client: OutboundClient) -> Self {
        Self(client)
    }

    /// Sends a call about a payment. `Ok(None)` stands for a 404.
    async fn send(
        &self,
        payment: PaymentId,
        call: Call<'_>,
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Option<ChargeOutcome>, GatewayFailure> {
        let result = self.0.send::<Charge>(call, complete).await;
        if let Err(CallFailure::TimedOut) = result {
            PaymentGatewayTimeout { payment_id: &payment }.emit();
        }
        Ok(result.map_err(failure)?.map(Charge::outcome))
    }
}

impl PaymentGateway for GatewayClient {
    async fn charge(&self, payment: PaymentId, amount: Money) -> Result<ChargeOutcome, GatewayFailure> {
        let call =
            Call { operation: "charge", method: &Method::POST, template: "/v1/charges", parameters: &[] };
        let body =
            ChargeRequest { amount_minor: amount.minor(), currency: amount.currency().code().to_owned() };
        let complete =
            |request: RequestBuilder| request.json(&body).header(IDEMPOTENCY_KEY, payment.to_string());
        existing(self.send(payment, call, complete).await?)
    }

    async fn find_charge(&self, payment: PaymentId) -> Result<Option<ChargeOutcome>, GatewayFailure> {
        let (key, template) = (payment.to_string(), "/v1/charges/{key}");
        let call = Call { operation: "find", method: &Method::GET, template, parameters: &[&key] };
        self.send(payment, call, |request| request).await
    }

    async fn void_charge(&self, payment: PaymentId) -> Result<ChargeOutcome, GatewayFailure> {
        let (key, template) = (payment.to_string(), "/v1/charges/{key}/void");
        let call = Call { operation: "void", method: &Method::POST, template, parameters: &[&key] };
        existing(self.send(payment, call, |request| request).await?)
    }

    async fn refund(&self, payment: PaymentId) -> Result<(), GatewayFailure> {
        let (key, template) = (payment.to_string(), "/v1/charges/{key}/refund");
        let call = Call { operation: "refund", method: &Method::POST, template, parameters: &[&key] };
        existing(self.send(payment, call, |request| request).await?)?;
        Ok(())
    }
}

/// The outcome of a charge that must exist.
fn existing(outcome: Option<ChargeOutcome>) -> Result<ChargeOutcome, GatewayFailure> {
    outcome.ok_or_else(|| GatewayFailure::Unavailable("the payment gateway has no such charge".into()))
}

fn failure(failure: CallFailure) -> GatewayFailure {
    match failure {
        CallFailure::TimedOut => GatewayFailure::TimedOut,
        CallFailure::CircuitOpen => GatewayFailure::CircuitOpen,
        CallFailure::Failed(error) => GatewayFailure::Unavailable(error),
    }
}
