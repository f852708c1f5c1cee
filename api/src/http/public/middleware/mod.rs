//! The middleware around every request, from the outside in: `believe_proxies`,
//! [`finish_response`](crate::http::finish::finish_response), `slow_down_retries`, `shed_early`, `reject_flood`, the root span [`RequestSpan`],
//! [`Observe`](glasshouse_telemetry::http::Observe), [`document_bare_errors`](crate::http::problem::document_bare_errors),
//! [`Compress`](actix_web::middleware::Compress) between the two of [`compress`](crate::http::compress),
//! [`receive_body`](crate::http::body::receive_body), `shed_load`, `time_out`, `inject_faults` (where faults are enabled),
//! `reject_repeated_headers`,
//! [`route_head_as_get`](crate::http::head::route_head_as_get), and below `/v1` also `share_places`, `authenticate` and
//! `limit_rate`.

mod authenticate;
mod believe_proxies;
mod inject_faults;
mod limit_rate;
mod reject_repeated;
mod request_span;
mod share_places;
mod shed_load;
mod time_out;

pub use authenticate::{authenticate, bearer_token};
pub use believe_proxies::believe_proxies;
pub use inject_faults::inject_faults;
pub use limit_rate::{limit_rate, reject_flood};
pub use reject_repeated::reject_repeated_headers;
pub use request_span::RequestSpan;
pub use share_places::share_places;
pub use shed_load::{shed_early, shed_load, slow_down_retries};
pub use time_out::time_out;
