//! The client of the payment gateway. The id of a payment is the idempotency key of every request, so each may be
//! retried.

pub mod ledger;
pub mod wire;

use glasshouse_domain::id::PaymentId;
use glasshouse_domain::payment::{ChargeOutcome, GatewayFailure, PaymentGateway};
use glasshouse_domain::values::Money;
use glasshouse_telemetry::service::events::payment_gateway::PaymentGatewayTimeout;
use reqwest::{Method, RequestBuilder};

use self::wire::{Charge, ChargeRequest, ChargeStatus, IDEMPOTENCY_KEY};
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

    /// Sends a call about a payment. `Ok(None)` stands for a 404. A response about another payment is a failure.
    async fn send(
        &self,
        payment: PaymentId,
        call: Call<'_>,
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Option<Charge>, GatewayFailure> {
        let result = self.0.send::<Charge>(call, complete).await;
        if let Err(CallFailure::TimedOut) = result {
            PaymentGatewayTimeout { payment_id: &payment }.emit();
        }
        let charge = result.map_err(failure)?;
        if charge.as_ref().is_some_and(|charge| charge.key != payment.to_string()) {
            return Err(GatewayFailure::Unavailable(
                "the payment gateway responded about another charge".into(),
            ));
        }
        Ok(charge)
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
        let charge = existing(self.send(payment, call, complete).await?)?;
        // One that was voided before it was made has no amount.
        let is_ours = (charge.amount_minor, &charge.currency) == (body.amount_minor, &body.currency);
        if charge.status != ChargeStatus::Declined && !is_ours {
            return Err(GatewayFailure::Unavailable("the payment gateway charged another amount".into()));
        }
        Ok(charge.outcome())
    }

    async fn find_charge(&self, payment: PaymentId) -> Result<Option<ChargeOutcome>, GatewayFailure> {
        let (key, template) = (payment.to_string(), "/v1/charges/{key}");
        let call = Call { operation: "find", method: &Method::GET, template, parameters: &[&key] };
        Ok(self.send(payment, call, |request| request).await?.map(Charge::outcome))
    }

    async fn void_charge(&self, payment: PaymentId) -> Result<ChargeOutcome, GatewayFailure> {
        let (key, template) = (payment.to_string(), "/v1/charges/{key}/void");
        let call = Call { operation: "void", method: &Method::POST, template, parameters: &[&key] };
        Ok(existing(self.send(payment, call, |request| request).await?)?.outcome())
    }

    async fn refund(&self, payment: PaymentId) -> Result<(), GatewayFailure> {
        let (key, template) = (payment.to_string(), "/v1/charges/{key}/refund");
        let call = Call { operation: "refund", method: &Method::POST, template, parameters: &[&key] };
        existing(self.send(payment, call, |request| request).await?)?;
        Ok(())
    }
}

/// A charge that must exist.
fn existing(charge: Option<Charge>) -> Result<Charge, GatewayFailure> {
    charge.ok_or_else(|| GatewayFailure::Unavailable("the payment gateway has no such charge".into()))
}

fn failure(failure: CallFailure) -> GatewayFailure {
    match failure {
        CallFailure::TimedOut => GatewayFailure::TimedOut,
        CallFailure::CircuitOpen => GatewayFailure::CircuitOpen,
        CallFailure::Failed(error) => GatewayFailure::Unavailable(error),
    }
}
