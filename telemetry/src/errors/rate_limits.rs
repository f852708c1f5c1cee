//! Rate limits: the response headers in which Sentry says for which categories of data a client is to pause.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use sentry::transports::RateLimiter;

/// `seconds:category;category:scope:reason, …`, also on a response of success; no category means all of them.
const RATE_LIMITS: &str = "X-Sentry-Rate-Limits";

/// Applies the limits of a response, in the order of precedence that Sentry defines for clients: limits per category,
/// `Retry-After` (seconds or an HTTP date), and a minute after a bare 429.
pub(super) fn update(limits: &mut RateLimiter, status: StatusCode, headers: &HeaderMap) {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(header) = text(RATE_LIMITS) {
        limits.update_from_sentry_header(&with_scopes(header));
    } else if let Some(header) = text(RETRY_AFTER.as_str()) {
        limits.update_from_retry_after(header);
    } else if status == StatusCode::TOO_MANY_REQUESTS {
        limits.update_from_429();
    }
}

/// Appends an empty scope to each limit: [`RateLimiter`] ignores limits without one, such as `60:error`.
fn with_scopes(header: &str) -> String {
    header.split(',').map(|limit| format!("{limit}:")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sentry::transports::RateLimitingCategory::{Any, Error, Transaction};

    use super::*;

    const HEADERS: [&str; 2] = [RATE_LIMITS, "Retry-After"];

    /// The seconds for which error events, transactions and all data are limited after a response with these values of
    /// the two headers.
    fn limited(status: u16, values: [Option<&str>; 2]) -> [u64; 3] {
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS.into_iter().zip(values) {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let mut limits = RateLimiter::new();
        update(&mut limits, StatusCode::from_u16(status).unwrap(), &headers);
        let seconds = |left: Option<Duration>| left.map_or(0, |left| left.as_secs_f64().round() as u64);
        [Error, Transaction, Any].map(|category| seconds(limits.is_disabled(category)))
    }

    #[test]
    fn limits_hold_for_their_categories_whatever_the_status_is() {
        for status in [200, 429] {
            let limits = |header| limited(status, [Some(header), None]);
            assert_eq!(limits("60:error"), [60, 0, 0], "without a scope");
            assert_eq!(limits("60:error:project:quota"), [60, 0, 0]);
            assert_eq!(limits("60:transaction:key, 2700:error;security:organization"), [2700, 60, 0]);
            assert_eq!(limits("60::organization"), [60, 60, 60], "no category is all of them");
            assert_eq!(limits("60:session;attachment:key"), [0, 0, 0]);
            assert_eq!(limits("nonsense,:::, 5.2:error:key"), [6, 0, 0]);
        }
        assert_eq!(limited(200, [None, None]), [0, 0, 0]);
    }

    #[test]
    fn without_limits_per_category_a_429_pauses_all_of_them() {
        assert_eq!(limited(429, [None, None]), [60, 60, 60]);
        assert_eq!(limited(429, [None, Some("7")]), [7, 7, 7]);
        assert_eq!(limited(429, [None, Some("soon")]), [60, 60, 60]);
        assert_eq!(limited(429, [Some("5:error"), Some("7")]), [5, 0, 0]);
        // Two years from now or later, for as long as this code may be of use.
        let [errors, ..] = limited(429, [None, Some("Fri, 01 Jan 2100 00:00:00 GMT")]);
        assert!(errors > 2 * 365 * 24 * 3600, "{errors}");
        assert_eq!(limited(429, [None, Some("Sat, 01 Jan 2000 00:00:00 GMT")]), [0, 0, 0]);
    }
}
