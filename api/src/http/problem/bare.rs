//! Error responses of actix itself and of libraries, which have no problem document.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use glasshouse_telemetry::http::replace;

use super::Problem;
use crate::http::CODINGS;

/// Replaces error responses that are not JSON with problem documents: those of actix and of libraries, such as the 406 of
/// [`Compress`](actix_web::middleware::Compress), are empty or plain text.
///
/// # Errors
/// When the next middleware fails: always with a [`Problem`].
pub async fn document_bare_errors(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = match next.call(request).await {
        Ok(response) => response,
        Err(error) if error.as_error::<Problem>().is_some() => return Err(error),
        Err(error) => return Err(of_error(&error).into()),
    };
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if !is_error || response.response().error().is_some() || is_json(response.response()) {
        return Ok(response.map_into_boxed_body());
    }
    let problem = of_status(response.status());
    Ok(replace(response, HttpResponse::from_error(problem)))
}

fn is_json<B>(response: &HttpResponse<B>) -> bool {
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim_end();
    media_type.ends_with("/json") || media_type.ends_with("+json")
}

/// The problem of an error of actix. Its message may repeat input, so the client does not get it.
pub(super) fn of_error(error: &Error) -> Problem {
    match error.as_response_error().status_code() {
        status if status.is_server_error() => Problem::internal(error.to_string()),
        status => of_status(status),
    }
}

/// The problem of an error response of which nothing but the status is known.
pub(crate) fn of_status(status: StatusCode) -> Problem {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("unknown_route", "there is no such file or route".to_owned()),
        StatusCode::NOT_ACCEPTABLE => {
            ("not_acceptable", format!("Accept-Encoding excludes all codings: allow {CODINGS} or identity"))
        }
        StatusCode::REQUEST_TIMEOUT => {
            ("request_head_timed_out", "the request line and the headers did not arrive in time".to_owned())
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            let detail = "the request line and the headers must not exceed 128 KiB, or 96 headers";
            ("request_head_too_large", detail.to_owned())
        }
        StatusCode::BAD_REQUEST => {
            let detail =
                "the request is not valid HTTP/1.1: see RFC 9112 for request line, headers and chunks";
            ("malformed_request", detail.to_owned())
        }
        status if status.is_server_error() => return Problem::internal(format!("a bare {status}")),
        status => ("request_rejected", format!("the request was rejected: {status}")),
    };
    Problem::new(status, code, detail)
}
