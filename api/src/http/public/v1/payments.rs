//! `/v1/payments`: refunds, and the body of a payment.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use glasshouse_domain::idempotency::StoredResponse;
use glasshouse_domain::payment::{Payment, PaymentState};
use glasshouse_domain::refund::refund;
use glasshouse_infra::payment_gateway::GatewayClient;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{idempotent, schemas};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::public::extract::{Admin, IdempotencyHeader};
use crate::http::public::middleware::RequestSpan;

/// The payment of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PaymentBody {
    id: Uuid,
    order_id: Uuid,
    #[schema(value_type = schemas::PaymentStatus)]
    status: &'static str,
    #[schema(value_type = schemas::Amount)]
    amount_minor: i64,
    #[schema(value_type = schemas::CurrencyCode)]
    currency: String,
    /// The payment gateway's reason for a decline.
    decline_reason: Option<String>,
    /// When the refund was requested.
    #[serde(with = "time::serde::rfc3339::option")]
    refund_requested_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<&Payment> for PaymentBody {
    fn from(payment: &Payment) -> Self {
        Self {
            id: payment.id.uuid(),
            order_id: payment.order.uuid(),
            status: payment.state.as_str(),
            amount_minor: payment.amount.minor(),
            currency: payment.amount.currency().to_string(),
            decline_reason: payment.decline_reason.as_ref().map(ToString::to_string),
            refund_requested_at: payment.refund_requested_at,
            created_at: payment.created_at,
        }
    }
}

/// Refund a payment (admin).
///
/// Returns the whole amount, and the order becomes `refunded`. If the payment gateway does not confirm in time, the response is
/// 202: the refund is completed in the background. It moves no stock: add what comes back when it has arrived.
#[utoipa::path(
    tag = "payments", security(("bearer" = [])),
    params(("id" = Uuid, Path), IdempotencyHeader),
    responses(
        (status = 200, description = "The payment is refunded", body = PaymentBody),
        (status = 202, description = "The refund is accepted; the payment gateway has not confirmed it yet", body = PaymentBody),
        (status = 403, body = ProblemBody),
        (status = 409, description = "The payment cannot be refunded", body = ProblemBody),
    )
)]
#[post("/payments/{id}/refund")]
pub(super) async fn refund_payment(
    Admin(caller): Admin,
    id: web::Path<Uuid>,
    key: IdempotencyHeader,
    gateway: web::Data<GatewayClient>,
) -> Result<HttpResponse, Problem> {
    let payment = id.into_inner().into();
    RequestSpan::record_payment(payment);
    let request = key.into_request(&caller, &(), refund_response)?;
    let outcome = refund(caller.store(), gateway.get_ref(), payment, &request).await?;
    Ok(idempotent::respond(outcome, refund_response))
}

fn refund_response(payment: &Payment) -> StoredResponse {
    let status = if payment.state == PaymentState::Refunded { StatusCode::OK } else { StatusCode::ACCEPTED };
    idempotent::response(status, &PaymentBody::from(payment))
}
