//! The id of a request, which is in its response, its log records, its root span and its error events.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderName;
use tracing_actix_web::RequestId as GeneratedId;
use uuid::Uuid;

/// The header that carries the id, in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is accepted from a caller, in bytes.
const MAX_LENGTH: usize = 128;

/// The id of a request: the caller's own if it is well-formed and the only one, otherwise the one that `tracing-actix-web` generated
/// (UUID v7).
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

impl RequestId {
    /// The id of a request. Inside of [`TracingLogger`](super::TracingLogger), it generates one.
    pub(super) fn of(request: &ServiceRequest) -> Self {
        let mut sent = request.headers().get_all(REQUEST_ID);
        let only = sent.next().filter(|_| sent.next().is_none()).and_then(|value| value.to_str().ok());
        let sent = only.filter(|id| is_well_formed(id)).map(str::to_owned);
        let generated = || request.extensions().get::<GeneratedId>().map(ToString::to_string);
        Self(sent.or_else(generated).unwrap_or_else(|| Uuid::now_v7().to_string()))
    }
}

/// An id is written into log records and headers, so it must be short and have no character with a meaning there.
fn is_well_formed(id: &str) -> bool {
    (1..=MAX_LENGTH).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
