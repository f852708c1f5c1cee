//! The header `If-Match`, and the `ETag` that it refers to.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};

use crate::http::problem::Problem;

/// The header `If-Match` (RFC 9110, section 13.1.1): the version that the client has read and wants to change.
/// It prevents lost updates when two clients edit the same object.
#[derive(Clone, Copy, Debug)]
pub struct IfMatch(pub i32);

impl IfMatch {
    /// The header `ETag` of a version.
    pub fn etag(version: i32) -> (header::HeaderName, String) {
        (header::ETAG, format!("\"{version}\""))
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let Some(value) = request.headers().get(header::IF_MATCH) else {
            let detail = "send the header If-Match with the ETag of the version to change";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail));
        };
        let text = value.to_str().unwrap_or_default().trim();
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let version = version.and_then(|text| text.parse().ok());
        let detail = "the header If-Match must be the ETag of a response, such as \"3\" with its quotes";
        version.map(Self).ok_or_else(|| Problem::bad_request("if_match_invalid", detail))
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
