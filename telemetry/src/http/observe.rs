//! The middleware that measures and logs each request and gives its response the ids of request and trace.

use std::future::{Future, Ready, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::FutureExt;

use super::clock::RequestClock;
use super::errors::{ErrorResponses, OwnResponses, Panicked};
use super::method::RecordedMethod;
use super::replace::replace;
use super::request_id::{REQUEST_ID, RequestId};
use super::scheme::Scheme;
use crate::events::http::{RequestCompleted, UnhandledException};
use crate::metrics::{HttpMetrics, InFlightRequest, UNKNOWN_ENDPOINT};
use crate::profiles::Label;
use crate::propagation;

/// The span that served the request, for the caller (W3C Trace Context, levels 1 and 2).
const TRACE_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("traceparent"), HeaderName::from_static("traceresponse")];

/// Middleware that counts and times each request, labels its CPU profile, turns panics into 500s, logs errors of the
/// server and `request_completed`, and adds `x-request-id`, `traceparent` and `traceresponse` to the response.
///
/// It must run inside the root span: wrap the app in [`TracingLogger`](super::TracingLogger) after it. Without the root
/// span each request fails with 500.
#[derive(Clone, Debug)]
pub struct Observe<E = OwnResponses> {
    metrics: Option<HttpMetrics>,
    errors: E,
}

impl Observe {
    /// Counts requests in these metrics.
    #[must_use]
    pub const fn new(metrics: HttpMetrics) -> Self {
        Self { metrics: Some(metrics), errors: OwnResponses }
    }

    /// Counts nothing: for endpoints that are no part of the service, such as those of its operators.
    #[must_use]
    pub const fn without_metrics() -> Self {
        Self { metrics: None, errors: OwnResponses }
    }

    /// Logs and answers errors as `errors` says.
    #[must_use]
    pub fn errors<E: ErrorResponses>(self, errors: E) -> Observe<E> {
        Observe { metrics: self.metrics, errors }
    }
}

impl<S, B, E> Transform<S, ServiceRequest> for Observe<E>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
    E: ErrorResponses,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = ObserveService<S, E>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(ObserveService { service: Rc::new(service), observe: self.clone() }))
    }
}

/// See [`Observe`].
#[derive(Debug)]
pub struct ObserveService<S, E> {
    service: Rc<S>,
    observe: Observe<E>,
}

impl<S, B, E> Service<ServiceRequest> for ObserveService<S, E>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
    E: ErrorResponses,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, observe) = (self.service.clone(), self.observe.clone());
        Box::pin(async move {
            let observation = Observation::begin(&request, observe.metrics)?;
            let label = Label::for_request(&observation.endpoint);
            let work = AssertUnwindSafe(async move { service.call(request).await }).catch_unwind();
            let outcome = match label {
                Some(label) => label.during(work).await,
                None => work.await,
            };
            let outcome = outcome.unwrap_or_else(|payload| Err(Panicked::new(&*payload).into()));
            observation.end(outcome, &observe.errors)
        })
    }
}

/// A request that is being served.
struct Observation {
    clock: RequestClock,
    method: RecordedMethod,
    scheme: Scheme,
    endpoint: String,
    id: String,
    metrics: Option<HttpMetrics>,
    _in_flight: Option<InFlightRequest>,
}

impl Observation {
    fn begin(request: &ServiceRequest, metrics: Option<HttpMetrics>) -> Result<Self, Error> {
        let Some(RequestId(id)) = request.extensions().get::<RequestId>().cloned() else {
            return Err(no_root_span());
        };
        let (method, scheme) = (RecordedMethod::of(request.method()), Scheme::of(request));
        let in_flight = metrics.as_ref().map(|metrics| metrics.begin(method.as_str(), scheme.as_str()));
        Ok(Self {
            clock: RequestClock::start(request),
            method,
            scheme,
            endpoint: request.match_pattern().unwrap_or_else(|| UNKNOWN_ENDPOINT.to_owned()),
            id,
            _in_flight: in_flight,
            metrics,
        })
    }

    fn end<B: MessageBody + 'static>(
        self,
        outcome: Result<ServiceResponse<B>, Error>,
        errors: &impl ErrorResponses,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        match outcome {
            Ok(response) => {
                let mut response = answered(response, errors, &self.id);
                self.finish(response.response_mut());
                Ok(response)
            }
            Err(error) => {
                // The error's own response can be taken only once.
                let own = error.as_response_error().status_code();
                errors.log(&error, own);
                let response = errors.response(&error, &self.id);
                let mut response = response.unwrap_or_else(|| error.error_response());
                self.finish(&mut response);
                Err(InternalError::from_response("answered by Observe", response).into())
            }
        }
    }

    fn finish(&self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.id) {
            headers.insert(REQUEST_ID, id);
        }
        let trace = propagation::traceparent().and_then(|trace| HeaderValue::from_str(&trace).ok());
        for (name, value) in TRACE_HEADERS.into_iter().zip(trace.iter().cycle()) {
            headers.insert(name, value.clone());
        }
        let (status_code, duration) = (response.status().as_u16(), self.clock.elapsed());
        let duration_ms = duration.as_secs_f64() * 1000.0;
        let (method, endpoint, scheme) = (self.method.as_str(), &*self.endpoint, self.scheme.as_str());
        RequestCompleted { status_code, duration_ms, method, endpoint, scheme }.emit(&self.metrics);
    }
}

/// The response of a handler; if it was made of an error, with the body that the service gives errors.
fn answered<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    errors: &impl ErrorResponses,
    request_id: &str,
) -> ServiceResponse<BoxBody> {
    let Some(error) = response.response().error() else { return response.map_into_boxed_body() };
    errors.log(error, response.status());
    match errors.response(error, request_id) {
        Some(rewritten) => replace(response, rewritten),
        None => response.map_into_boxed_body(),
    }
}

fn no_root_span() -> Error {
    UnhandledException { problem: None, cause: &"Observe is not inside of TracingLogger" }.emit();
    InternalError::new("the root span is missing", StatusCode::INTERNAL_SERVER_ERROR).into()
}
