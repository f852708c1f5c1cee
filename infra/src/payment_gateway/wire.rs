//! The HTTP protocol of the payment gateway, which the client and the gateway simulator share.
//!
//! | request | response |
//! | --- | --- |
//! | `POST /v1/charges` with `Idempotency-Key` | 200 [`Charge`]; the same outcome for every request with this key |
//! | `GET /v1/charges/{key}` | 200 [`Charge`], or 404 if no charge has this key |
//! | `POST /v1/charges/{key}/void` | 200 [`Charge`], final; a key without a charge is declined as `voided` |
//! | `POST /v1/charges/{key}/refund` | 200 [`Charge`], or 409 if there is nothing to refund |
//! | `GET /v1/ledger?after={key}&limit={number}` | 200 [`LedgerPage`] |

use glasshouse_domain::payment::ChargeOutcome;
use glasshouse_domain::values::DeclineReason;
use serde::{Deserialize, Serialize};

/// The header with the key of a charge.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The body of a charge request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChargeRequest {
    /// In minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

/// A charge in a response of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The idempotency key of the charge.
    pub key: String,
    /// In minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The state of the charge.
    pub status: ChargeStatus,
    /// The reason of a declined charge.
    pub decline_reason: Option<String>,
}

impl Charge {
    /// What it means for the payment.
    #[must_use]
    pub fn outcome(self) -> ChargeOutcome {
        match self.status {
            ChargeStatus::Succeeded | ChargeStatus::Refunded => ChargeOutcome::Succeeded,
            ChargeStatus::Declined => {
                let reason = DeclineReason::from_gateway(&self.decline_reason.unwrap_or_default());
                ChargeOutcome::Declined { reason }
            }
        }
    }
}

/// A page of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerPage {
    /// The charges whose keys come after that of the request, in the order of their keys.
    pub charges: Vec<Charge>,
    /// The number of charges that the gateway has deleted. If it is not 0, the ledger is not complete.
    pub evicted: u64,
}

/// The state of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// The customer was charged.
    Succeeded,
    /// The charge was declined or voided, and is final.
    Declined,
    /// The customer was charged and refunded.
    Refunded,
}
