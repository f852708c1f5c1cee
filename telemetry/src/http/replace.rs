//! Replacing a response that other middleware has seen.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, ETAG, HeaderName, LAST_MODIFIED, TRAILER,
    TRANSFER_ENCODING,
};

/// Replaces a response. Headers that other middleware has added, such as the rate limit, stay; those that describe the old
/// body, such as its content coding, go with it.
pub fn replace<B>(response: ServiceResponse<B>, mut by: HttpResponse) -> ServiceResponse<BoxBody> {
    let own: Vec<_> = by.headers().keys().cloned().collect();
    for (name, value) in response.headers() {
        // A header may have several values.
        if !own.contains(name) && !describes_body(name) {
            by.headers_mut().append(name.clone(), value.clone());
        }
    }
    response.into_response(by)
}

/// Representation metadata, validators, digests and framing (RFC 9110, sections 6.4 to 6.6 and 8; RFC 9530).
fn describes_body(name: &HeaderName) -> bool {
    let policies = [CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY];
    let others = [ETAG, LAST_MODIFIED, TRAILER, TRANSFER_ENCODING];
    (name.as_str().starts_with("content-") && !policies.contains(name))
        || name.as_str().ends_with("digest")
        || others.contains(name)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderValue};
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn headers_of_the_old_body_go_and_others_stay() {
        let describing = [
            "content-encoding",
            "content-type",
            "content-length",
            "content-language",
            "content-location",
            "content-range",
            "content-disposition",
            "content-digest",
            "repr-digest",
            "digest",
            "etag",
            "last-modified",
            "trailer",
            "transfer-encoding",
        ];
        let others = ["ratelimit-limit", "vary", "set-cookie", "content-security-policy", "retry-after"];
        let mut old = HttpResponse::Ok();
        for name in describing.into_iter().chain(others) {
            old.append_header((name, "old")).append_header((name, "too"));
        }
        let old = TestRequest::default().to_srv_response(old.finish());
        let new =
            HttpResponse::NotFound().insert_header(("retry-after", "new")).content_type("a/b").body("c");
        let replaced = replace(old, new);
        let all =
            |headers: &HeaderMap, name: &str| headers.get_all(name).cloned().collect::<Vec<HeaderValue>>();
        for name in describing.into_iter().filter(|name| *name != "content-type") {
            assert_eq!(all(replaced.headers(), name), Vec::<HeaderValue>::new(), "{name}");
        }
        for name in &others[..4] {
            assert_eq!(all(replaced.headers(), name), ["old", "too"], "{name}");
        }
        assert_eq!(all(replaced.headers(), "retry-after"), ["new"]);
        assert_eq!(all(replaced.headers(), "content-type"), ["a/b"]);
    }
}
