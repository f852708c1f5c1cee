//! The methods of requests, as OpenTelemetry's semantic conventions for HTTP name them. A client can send any word, so a
//! method that is not known has no name of its own in any signal, and the word itself is not recorded.

use std::sync::OnceLock;

use actix_web::http::Method;

/// The known methods by default: those of RFC 9110, `PATCH` (RFC 5789) and `QUERY`.
pub const KNOWN_METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];

/// Stands for all other methods in `http.request.method` and in labels.
const OTHER: &str = "_OTHER";

/// Stands for them in names of spans.
const OTHER_IN_NAMES: &str = "HTTP";

/// The known methods of this process, if they are not the default ones.
static KNOWN: OnceLock<Vec<String>> = OnceLock::new();

/// Sets the known methods. Telemetry starts once in a process.
pub(crate) fn set_known(methods: Vec<String>) {
    let _ = KNOWN.set(methods);
}

/// A method as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordedMethod(Option<&'static str>);

impl RecordedMethod {
    /// Names of methods are case-sensitive.
    pub(super) fn of(method: &Method) -> Self {
        let is_it = |known: &&str| *known == method.as_str();
        Self(match KNOWN.get() {
            Some(methods) => methods.iter().map(String::as_str).find(is_it),
            None => KNOWN_METHODS.into_iter().find(is_it),
        })
    }

    /// For `http.request.method` and labels.
    pub(super) fn as_str(self) -> &'static str {
        self.0.unwrap_or(OTHER)
    }

    /// The name of the span of a request to this route.
    pub(super) fn span_name(self, route: Option<&str>) -> String {
        let method = self.0.unwrap_or(OTHER_IN_NAMES);
        route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_is_not_known_has_no_name_of_its_own() {
        let long = "Z".repeat(100_000);
        for method in ["ZZ1", "get", "Get", "PROPFIND", "_OTHER", "HTTP", "M-SEARCH", &long] {
            let method = RecordedMethod::of(&method.parse().unwrap());
            assert_eq!((method.as_str(), &*method.span_name(None)), ("_OTHER", "HTTP"));
            assert_eq!(method.span_name(Some("/v1/orders")), "HTTP /v1/orders");
        }
        for known in KNOWN_METHODS {
            let method = RecordedMethod::of(&known.parse().unwrap());
            assert_eq!((method.as_str(), &*method.span_name(Some("/"))), (known, &*format!("{known} /")));
        }
    }
}
