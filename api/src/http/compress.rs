//! A small response is not compressed: that takes longer than to send what it saves.
//!
//! [`Compress`](actix_web::middleware::Compress) has no such limit, but leaves a response as it is that has a content coding. So a
//! small one gets the coding `identity` inside of it and loses it outside, because a response does not name this coding (RFC 9110,
//! section 8.4).

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AcceptEncoding, CONTENT_ENCODING, Encoding, Header, HeaderValue};
use actix_web::middleware::Next;

/// The size from which on a response is compressed, in bytes. A smaller one fits into one packet together with its headers.
const MIN_BYTES: u64 = 1024;

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Marks a small response that the client accepts as it is.
///
/// # Errors
/// When the next middleware fails.
pub async fn mark_small<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let accepts_identity = accepts_identity(&request);
    let mut response = next.call(request).await?;
    let is_small = matches!(response.response().body().size(), BodySize::Sized(bytes) if bytes < MIN_BYTES);
    if accepts_identity && is_small && !response.headers().contains_key(CONTENT_ENCODING) {
        response.headers_mut().insert(CONTENT_ENCODING, IDENTITY);
    }
    Ok(response)
}

/// Removes the mark.
///
/// # Errors
/// When the next middleware fails.
pub async fn unmark_small<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    if response.headers().get(CONTENT_ENCODING) == Some(&IDENTITY) {
        response.headers_mut().remove(CONTENT_ENCODING);
    }
    Ok(response)
}

/// Whether the client accepts a response without a coding (RFC 9110, section 12.5.3).
fn accepts_identity(request: &ServiceRequest) -> bool {
    let accepted = AcceptEncoding::parse(request);
    accepted.is_ok_and(|accepted| accepted.negotiate([Encoding::identity()].iter()).is_some())
}
