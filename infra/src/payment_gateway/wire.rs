//! The gateway's protocol. Both sides of it live in this project, since the gateway is a simulator; a real
//! one would be described here the same way.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /v1/charges` with `Idempotency-Key` | 200 [`Charge`]: the first outcome for this key, for ever |
//! | `GET /v1/charges/{key}` | 200 [`Charge`], or 404 if the key was never seen |
//! | `POST /v1/charges/{key}/void` | 200 [`Charge`]: final; declined as `voided` if it was not charged before |
//! | `POST /v1/charges/{key}/refund` | 200 [`Charge`], or 409 if there is nothing to refund |

use serde::{Deserialize, Serialize};

/// The header that names a charge.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The route behind a path, for spans and metrics: `/v1/charges/{key}/void`.
#[must_use]
pub fn route(path: &str) -> &'static str {
    let mut parts = path.trim_start_matches('/').split('/').skip(2);
    match (parts.next(), parts.next()) {
        (None, _) => "/v1/charges",
        (Some(_), None) => "/v1/charges/{key}",
        (Some(_), Some("void")) => "/v1/charges/{key}/void",
        (Some(_), Some(_)) => "/v1/charges/{key}/refund",
    }
}

/// What a request asks the gateway to do, for metrics: `charge`, `find`, `void` or `refund`.
pub(super) fn operation(method: &reqwest::Method, path: &str) -> &'static str {
    match route(path) {
        "/v1/charges" => "charge",
        "/v1/charges/{key}/void" => "void",
        "/v1/charges/{key}/refund" => "refund",
        _ if method == reqwest::Method::GET => "find",
        _ => "unknown",
    }
}

/// Asks for a charge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChargeRequest {
    /// In minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

/// A charge, as the gateway knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The caller's key.
    pub key: String,
    /// In minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Where it stands.
    pub status: ChargeStatus,
    /// Why it was declined.
    pub decline_reason: Option<String>,
}

/// Where a charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// The money was taken.
    Succeeded,
    /// The money was not taken and will not be.
    Declined,
    /// The money was taken and went back.
    Refunded,
}
