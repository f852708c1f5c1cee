//! Responses to bytes that are no HTTP request: how actix-http's own are recognized, and the problem documents in their
//! place.

use std::time::SystemTime;

use actix_web::body::MessageBody;
use actix_web::http::header::{self, HttpDate};
use actix_web::http::{StatusCode, Version};
use glasshouse_telemetry::events::http::{MalformedRequest, UnhandledException};
use glasshouse_telemetry::metrics::HttpMetrics;
use uuid::Uuid;

use super::finish::add_defaults;
use super::problem::of_status;

/// The longest head of a response that actix-http makes by itself, in bytes.
const MAX_HEAD: usize = 256;

/// Finds actix-http's own response to a malformed request at the end of what it writes; after it, it writes no more.
/// Returns where it begins, and its status. It has no body and no other header than these, and every response of a handler
/// has more.
pub(super) fn find(bytes: &[u8]) -> Option<(usize, StatusCode)> {
    let head = bytes.strip_suffix(b"\r\n\r\n")?;
    let earliest = head.len().saturating_sub(MAX_HEAD);
    let begin = earliest + head[earliest..].windows(7).rposition(|window| window == b"HTTP/1.")?;
    let mut lines = std::str::from_utf8(&head[begin..]).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let is_own = |line: &str| {
        line == "content-length: 0" || line.starts_with("connection: ") || line.starts_with("date: ")
    };
    (matches!(status, 400 | 408 | 431 | 500) && lines.all(is_own))
        .then(|| StatusCode::from_u16(status).ok())
        .flatten()
        .map(|status| (begin, status))
}

/// A problem document with this status, as bytes of HTTP/1.1, which closes the connection. It is logged and counted.
pub(super) fn response(status: StatusCode, metrics: &HttpMetrics) -> Vec<u8> {
    let request_id = Uuid::now_v7().to_string();
    if status.is_server_error() {
        UnhandledException { problem: None, cause: &"actix-http failed to read a request" }.emit();
    } else {
        MalformedRequest { request_id: &request_id, status_code: status.as_u16() }.emit(metrics);
    }
    let mut response = of_status(status).response(&request_id);
    add_defaults(response.headers_mut());
    let mut bytes = format!("{:?} {status}\r\n", Version::HTTP_11).into_bytes();
    let mut add = |name: &str, value: &[u8]| {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    for (name, value) in response.headers() {
        add(name.as_str(), value.as_bytes());
    }
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    add("x-request-id", request_id.as_bytes());
    add(header::CONTENT_LENGTH.as_str(), body.len().to_string().as_bytes());
    add(header::DATE.as_str(), HttpDate::from(SystemTime::now()).to_string().as_bytes());
    add(header::CONNECTION.as_str(), b"close");
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\
                       date: Thu, 26 Nov 2026 08:00:00 GMT\r\n\r\n";

    #[test]
    fn only_the_own_response_of_actix_http_at_the_end_is_found() {
        assert_eq!(find(OWN.as_bytes()), Some((0, StatusCode::BAD_REQUEST)));
        for before in
            ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "HTTP/1.1 204 No Content\r\n\r\n", "0\r\n\r\n"]
        {
            assert_eq!(
                find(format!("{before}{OWN}").as_bytes()),
                Some((before.len(), StatusCode::BAD_REQUEST))
            );
        }
        for (status, found) in [("408", true), ("431", true), ("500", true), ("404", false), ("200", false)] {
            assert_eq!(find(OWN.replace("400", status).as_bytes()).is_some(), found, "{status}");
        }
        for other in [
            String::new(),
            "\r\n\r\n".to_owned(),
            "0\r\n\r\n".to_owned(),
            format!("{OWN}more"),
            OWN.replace("content-length: 0", "content-length: 9"),
            OWN.replace("date: ", "x-request-id: 1\r\ndate: "),
            OWN.replace("HTTP/1.1 ", "HTTP/2 "),
            format!("{OWN}{}\r\n\r\n", "x".repeat(300)),
        ] {
            assert_eq!(find(other.as_bytes()), None, "{other:?}");
        }
    }
}
