//! The headers of a request, as a carrier of context.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::Extractor;

/// See the module.
pub(super) struct RequestHeaders<'a>(pub(super) &'a HeaderMap);

impl Extractor for RequestHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(text)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<_> = self.0.get_all(key).map(text).collect();
        (!values.is_empty()).then_some(values)
    }
}

/// A value that is no ASCII text is malformed, and yet a value: it must not vanish.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("\u{fffd}")
}
