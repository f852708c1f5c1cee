//! The header `x-request-id`, and the headers of every response that follow from the trace context of its request.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse, web};
use glasshouse_api::http::public::middleware::RequestSpan;
use glasshouse_telemetry::http::{Observe, TracingLogger};

use super::service::Service;
use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "request_id",
    seeds: &["018f3c2a-5b7e-7c3d-9f01-23456789abcd", "a_b.c", "two words", "a\nb", "größe", "a\tb"],
    dictionary: &["-", "_", ".", " ", "\n", "\t"],
    run,
};

const NAME: HeaderName = HeaderName::from_static("x-request-id");

thread_local! {
    static SERVICE: &'static Service = Service::new(
        App::new()
            .route("/", web::get().to(HttpResponse::Ok))
            .wrap(Observe::without_metrics())
            .wrap(TracingLogger::<RequestSpan>::new()),
    )
    .leaked();
}

/// Each line of the input is a header.
fn run(input: &[u8]) {
    let mut request = TestRequest::default();
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        request = request.append_header((NAME, value));
    }
    let response = SERVICE.with(|service| service.call(request.to_request()));
    let ids: Vec<&[u8]> = response.headers.get_all(NAME).map(HeaderValue::as_bytes).collect();
    let [id] = ids[..] else { panic!("a response has one id, not {}", ids.len()) };
    let is_well_formed = |id: &[u8]| {
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=128).contains(&id.len()) && id.iter().all(is_allowed)
    };
    assert!(is_well_formed(id));
    assert_eq!(id == input, is_well_formed(input), "{}", id.escape_ascii());
}
