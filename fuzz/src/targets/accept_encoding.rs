//! The headers `Accept-Encoding` and `If-None-Match` of a request for a static file, on two lines.

use std::io::Read;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use actix_web::test::TestRequest;
use flate2::read::{GzDecoder, ZlibDecoder};
use glasshouse_api::http::static_file::StaticFile;

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "accept_encoding",
    seeds: &[
        "gzip;q=0.5, deflate\n",
        "identity;q=0, *;q=0.1\n*",
        "*;q=0\nW/\"x\"",
        "br, zstd;q=1.000\n\"a\", \"b\"",
        "gzip;q=2\n\"",
    ],
    dictionary: &["gzip", "deflate", "identity", "br", "*", ";q=", "0.5", ",", "\n", "\"", "W/"],
    run,
};

thread_local! {
    static FILE: StaticFile = StaticFile::new(HeaderValue::from_static("text/plain"), content().into());
}

fn content() -> Vec<u8> {
    "Glasshouse. ".repeat(20).into()
}

fn run(input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n').map(HeaderValue::from_bytes);
    let (Some(Ok(accepted)), Some(Ok(known))) = (lines.next(), lines.next()) else { return };
    let response = respond(&[(ACCEPT_ENCODING, &accepted)]);
    assert_eq!(response.status(), StatusCode::OK);
    let header = |name| response.headers().get(name).map(HeaderValue::as_bytes);
    assert_eq!(header(VARY), Some(&b"accept-encoding"[..]), "a cache would mix the encodings");
    let etag = response.headers().get(ETAG).expect("a version").clone();
    let encoding = header(CONTENT_ENCODING).map(|name| String::from_utf8_lossy(name).into_owned());
    if let Some(name) = &encoding {
        let accepted = accepted.to_str().unwrap_or_default().to_ascii_lowercase();
        assert!(accepted.contains(name) || accepted.contains('*'), "{name} was not accepted");
    }
    assert_eq!(decoded(encoding.as_deref(), response), content());
    // A client that has this representation need not get it again, and one that has another must.
    let again = respond(&[(ACCEPT_ENCODING, &accepted), (IF_NONE_MATCH, &etag)]);
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let other = respond(&[(ACCEPT_ENCODING, &accepted), (IF_NONE_MATCH, &known)]);
    let text = String::from_utf8_lossy(known.as_bytes());
    let names_it = text.trim() == "*" || text.contains(etag.to_str().expect("a tag").trim_matches('"'));
    assert!(other.status() == StatusCode::OK || names_it, "{known:?} is not {etag:?}");
}

fn respond(headers: &[(HeaderName, &HeaderValue)]) -> HttpResponse {
    let request = headers.iter().fold(TestRequest::default(), |request, (name, value)| {
        request.insert_header((name.clone(), (*value).clone()))
    });
    FILE.with(|file| file.respond(&request.to_http_request()))
}

fn decoded(encoding: Option<&str>, response: HttpResponse) -> Vec<u8> {
    let body = response.into_body().try_into_bytes().expect("the body is in memory");
    let mut content = Vec::new();
    match encoding {
        Some("gzip") => GzDecoder::new(&body[..]).read_to_end(&mut content).expect("gzip"),
        Some("deflate") => ZlibDecoder::new(&body[..]).read_to_end(&mut content).expect("deflate"),
        _ => return body.into(),
    };
    content
}
