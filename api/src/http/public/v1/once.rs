//! Answers to requests with an idempotency key.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use glasshouse_domain::idempotency::{Once, RecordedAnswer};
use serde::Serialize;

/// Writes an answer down, as it goes to the client and into the database.
pub(super) fn recorded(status: StatusCode, body: &impl Serialize) -> RecordedAnswer {
    // A body of ours is plain text and numbers, which JSON can always hold.
    RecordedAnswer { status: status.as_u16(), body: serde_json::to_string(body).unwrap_or_default() }
}

/// The answer, the same for the first request and for each repetition; `Idempotency-Replayed` tells them
/// apart.
pub(super) fn respond<T>(once: Once<T>, answer: fn(&T) -> RecordedAnswer) -> HttpResponse {
    let (answer, replayed) = match once {
        Once::Done(result) => (answer(&result), false),
        Once::Unanswered(result) => (answer(&result), true),
        Once::Replayed(answer) => (answer, true),
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.content_type(ContentType::json()).body(answer.body)
}
