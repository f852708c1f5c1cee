//! HEAD: answered as GET, without the body (RFC 9110, section 9.3.2).

use actix_web::body::{BodySize, BodyStream, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponse};

/// Routes HEAD as GET, so that every route with GET has both. It runs inside of what records the method, and
/// [`finish_response`](super::finish::finish_response) leaves out the body.
///
/// # Errors
/// When the next middleware fails.
pub async fn route_head_as_get(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// The response with its headers alone. actix leaves out the body of HEAD by itself, unless the client has sent another
/// request meanwhile: it looks at the latest request of the connection. The empty stream is right in both cases, as it
/// announces no transfer coding.
pub(super) fn without_body(response: HttpResponse) -> HttpResponse {
    let length = response.body().size();
    let empty = BodyStream::new(futures_util::stream::empty::<Result<Bytes, Error>>());
    let mut response = response.set_body(empty);
    response.head_mut().no_chunking(true);
    if let BodySize::Sized(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map_into_boxed_body()
}
