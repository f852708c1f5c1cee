//! The root span of a request, in OpenTelemetry's semantic conventions for HTTP. It continues the caller's trace.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::method::RecordedMethod;
use super::request_headers::RequestHeaders;
use super::request_id::RequestId;
use super::scheme::Scheme;
use crate::propagation;
use crate::redaction::REDACTED;

/// Defines the root span of a service's requests, for [`TracingLogger`](crate::http::TracingLogger).
///
/// The span has the attributes of OpenTelemetry's semantic conventions for an HTTP server, `request_id`, and the
/// fields that are listed here. Those are empty at first; a handler records them on the current span. `tracing`
/// ignores a field that is not declared.
///
/// ```
/// glasshouse_telemetry::root_span! {
///     /// The root span of a request to the shop.
///     pub struct ShopSpan { shop.id, cart.id }
/// }
///
/// async fn handler() -> &'static str {
///     tracing::Span::current().record("shop.id", "s-1");
///     "open"
/// }
/// ```
#[macro_export]
macro_rules! root_span {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident { $($($field:ident).+),* $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        impl $crate::http::private::RootSpanBuilder for $name {
            fn on_request_start(
                request: &$crate::http::private::actix_web::dev::ServiceRequest,
            ) -> $crate::http::private::tracing::Span {
                use $crate::http::private::tracing::field::Empty;

                let facts = $crate::http::private::RequestFacts::new(request);
                let span = $crate::http::private::tracing::info_span!(
                    "request",
                    otel.name = facts.name,
                    otel.kind = "server",
                    http.request.method = facts.method,
                    http.route = facts.route,
                    url.path = facts.path,
                    url.scheme = facts.scheme,
                    http.response.status_code = Empty,
                    error.type = Empty,
                    otel.status_code = Empty,
                    request_id = facts.request_id,
                    pyroscope.profile.id = Empty,
                    $($($field).+ = Empty,)*
                );
                facts.continue_trace(&span, request);
                span
            }

            fn on_request_end<B: $crate::http::private::actix_web::body::MessageBody>(
                span: $crate::http::private::tracing::Span,
                outcome: &Result<
                    $crate::http::private::actix_web::dev::ServiceResponse<B>,
                    $crate::http::private::actix_web::Error,
                >,
            ) {
                $crate::http::private::finish(&span, outcome);
            }
        }
    };
}

/// What the root span of a request begins with.
#[derive(Debug)]
pub struct RequestFacts {
    /// `METHOD ROUTE`, or the method alone where no route matches.
    pub name: String,
    /// The method, or `_OTHER` if it is none of the known ones.
    pub method: &'static str,
    /// The route pattern.
    pub route: Option<String>,
    /// The path without what may be a secret.
    pub path: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The id of the request.
    pub request_id: String,
}

impl RequestFacts {
    /// Reads the facts of a request, and gives the request its id.
    #[must_use]
    pub fn new(request: &ServiceRequest) -> Self {
        let id = RequestId::of(request);
        let (method, route) = (RecordedMethod::of(request.method()), request.match_pattern());
        let name = method.span_name(route.as_deref());
        let path = redacted_path(request.path(), route.as_deref());
        let scheme = Scheme::of(request).as_str();
        request.extensions_mut().insert(id.clone());
        Self { name, method: method.as_str(), route, path, scheme, request_id: id.0 }
    }

    /// Makes the span a child of the caller's.
    pub fn continue_trace(&self, span: &Span, request: &ServiceRequest) {
        // Only a span that is closed already rejects a parent.
        let _ = span.set_parent(propagation::extract(&RequestHeaders(request.headers())));
    }
}

/// Records the outcome of a request on its root span.
pub fn finish<B: MessageBody>(span: &Span, outcome: &Result<ServiceResponse<B>, Error>) {
    let status = match outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// The path with its literal segments and UUIDs. All other segments are redacted, and all of a path that no route
/// serves: clients put e-mail addresses and tokens there by mistake. It has as many segments as the route, however many a
/// client sends.
fn redacted_path(path: &str, route: Option<&str>) -> String {
    let Some(route) = route else { return REDACTED.to_owned() };
    let mut segments = path.split('/');
    let shown = route.split('/').zip(&mut segments).map(|(literal, segment)| {
        if literal == segment || Uuid::try_parse(segment).is_ok() { segment } else { REDACTED }
    });
    let mut shown: Vec<_> = shown.collect();
    // The rest belongs to the last segment of the route, such as `{path:.*}`.
    if segments.next().is_some() {
        shown.pop();
        shown.push(REDACTED);
    }
    shown.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_shows_literals_and_uuids_alone() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let order = format!("/v1/orders/{id}");
        assert_eq!(redacted_path(&order, Some("/v1/orders/{id}")), order);
        assert_eq!(redacted_path("/v1/orders/secret", Some("/v1/orders/{id}")), "/v1/orders/[REDACTED]");
        assert_eq!(redacted_path("/secret", None), "[REDACTED]");
    }

    #[test]
    fn a_path_is_no_longer_than_its_route() {
        for rest in
            ["/x".repeat(50_000), "/".repeat(100_000), format!("/{}/x", Uuid::nil()), "x".repeat(100_000)]
        {
            assert_eq!(redacted_path(&format!("/docs/{rest}"), Some("/docs/{_:.*}")), "/docs/[REDACTED]");
        }
        assert_eq!(redacted_path("/docs", Some("/docs/{_:.*}")), "/docs");
    }
}
