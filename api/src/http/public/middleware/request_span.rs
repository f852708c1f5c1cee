use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{Error, HttpMessage};
use glasshouse_domain::id::{OrderId, PaymentId};
use glasshouse_telemetry::propagation;
use opentelemetry::propagation::Extractor;
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_actix_web::RootSpanBuilder;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// The header that names a request, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What stands in a path in place of what may be a secret.
const HIDDEN: &str = "[REDACTED]";

/// The name of a request: the caller's own, if it sent a decent one.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    fn of(request: &ServiceRequest) -> Self {
        let decent = |id: &&str| {
            (1..=128).contains(&id.len())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        Self(sent.filter(decent).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned))
    }
}

/// The root span of a request, in OpenTelemetry's terms for HTTP. It continues the caller's trace.
///
/// What is known later is declared as [`Empty`]: a field that is not declared cannot be recorded.
#[derive(Debug)]
pub struct RequestSpan;

impl RequestSpan {
    /// Says on the current request's span which order it is about.
    pub(crate) fn is_about_order(order: OrderId) {
        Span::current().record("order.id", tracing::field::display(order));
    }

    /// Says on the current request's span which payment it is about.
    pub(crate) fn is_about_payment(payment: PaymentId) {
        Span::current().record("payment.id", tracing::field::display(payment));
    }
}

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = RequestId::of(request);
        let method = request.method().as_str();
        let route = request.match_pattern();
        let name = route.as_deref().map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let span = info_span!(
            "request",
            otel.name = name,
            otel.kind = "server",
            http.request.method = method,
            http.route = route,
            url.path = known_path(request),
            url.scheme = request.connection_info().scheme(),
            http.response.status_code = Empty,
            error.type = Empty,
            otel.status_code = Empty,
            request_id = id.0,
            tenant.id = Empty,
            user.id = Empty,
            user.role = Empty,
            order.id = Empty,
            payment.id = Empty,
            pyroscope.profile.id = Empty,
        );
        // Only a span that is closed already refuses a parent.
        let _ = span.set_parent(propagation::extract(&Incoming(request.headers())));
        request.extensions_mut().insert(id);
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
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
}

/// The path, with what does not belong into one hidden: where the route has a parameter, all but an id; and all of a
/// path that no route serves. People put addresses and tokens there by mistake.
fn known_path(request: &ServiceRequest) -> String {
    let Some(route) = request.match_pattern() else { return HIDDEN.to_owned() };
    let mut routes = route.split('/');
    let known = request.path().split('/').map(|part| match routes.next() {
        Some(literal) if literal == part => part,
        _ if Uuid::try_parse(part).is_ok() => part,
        _ => HIDDEN,
    });
    known.collect::<Vec<_>>().join("/")
}

/// Reads trace headers of a request.
struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
