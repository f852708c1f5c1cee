//! Responses to requests with an idempotency key: how they are stored, and how a stored one is sent again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use glasshouse_domain::idempotency::{Idempotent, StoredResponse};
use serde::Serialize;

/// A JSON response in the form that is stored; its code is the HTTP status.
pub(super) fn response(status: StatusCode, body: &impl Serialize) -> StoredResponse {
    // Our bodies hold only strings and numbers, which JSON can always represent.
    StoredResponse { code: status.as_u16(), body: serde_json::to_string(body).unwrap_or_default() }
}

/// Sends the response: the same one for the first request and for each repetition. The header
/// `Idempotency-Replayed` marks repetitions.
pub(super) fn respond<T>(outcome: Idempotent<T>, render: fn(&T) -> StoredResponse) -> HttpResponse {
    let (stored, is_replay) = match outcome {
        Idempotent::Executed(result) => (render(&result), false),
        Idempotent::InProgress(result) => (render(&result), true),
        Idempotent::Replayed(stored) => (stored, true),
    };
    let status = StatusCode::from_u16(stored.code).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if is_replay {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.content_type(ContentType::json()).body(stored.body)
}
