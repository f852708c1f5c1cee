//! Headers that are sent more than once.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::Next;

use crate::http::problem::Problem;

/// The headers of which a request has one, or none (RFC 9110, section 5.3). actix rejects a second `Host` or
/// `Content-Length` itself.
const SINGLE: [HeaderName; 3] =
    [header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("idempotency-key")];

/// Rejects a request in which a header with one value comes more than once. A proxy may believe another of the values than
/// the service does.
///
/// # Errors
/// When a header is repeated, or the next middleware fails.
pub async fn reject_repeated_headers<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let repeated = SINGLE.into_iter().find(|name| request.headers().get_all(name).count() > 1);
    if let Some(name) = repeated {
        let detail = format!("send the header {name} once");
        return Err(Problem::bad_request("repeated_header", detail).into());
    }
    next.call(request).await
}
