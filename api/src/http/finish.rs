//! What every response has, whatever made it.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

use super::head::without_body;
use super::public::docs;
use super::unanswered::Unanswered;

/// Headers of all responses that do not set them themselves. Nothing is cached, as most responses hold data of a tenant
/// or a token; and a browser takes no response for a script, a page or a part of one.
const DEFAULTS: [(HeaderName, HeaderValue); 4] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// Adds the headers that every response has, and leaves out the body of a response to HEAD. It runs outside of all that
/// makes or replaces responses.
///
/// # Errors
/// When the next middleware fails. The response of its error is finished too.
pub async fn finish_response(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let answering = request.request().conn_data::<Unanswered>().map(Unanswered::begin);
    let is_head = request.method() == Method::HEAD;
    let is_swagger_ui = docs::is_swagger_ui(request.path());
    let finish = |response: HttpResponse| {
        let mut response = if is_head { without_body(response) } else { response };
        if is_swagger_ui {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, docs::CONTENT_SECURITY_POLICY);
        }
        add_defaults(response.headers_mut());
        response
    };
    let outcome = match next.call(request).await {
        Ok(response) => {
            let (request, response) = response.into_parts();
            Ok(ServiceResponse::new(request, finish(response.map_into_boxed_body())))
        }
        Err(error) => {
            let response = finish(error.error_response());
            Err(InternalError::from_response("an error with a finished response", response).into())
        }
    };
    if let Some(answering) = answering {
        answering.end();
    }
    outcome
}

/// Adds the headers that every response has, unless it has them.
pub(super) fn add_defaults(headers: &mut HeaderMap) {
    for (name, value) in DEFAULTS {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}
