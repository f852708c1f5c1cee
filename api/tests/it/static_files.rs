//! The files of the documentation: encodings, caching and revalidation.

use std::io::Read;
use std::slice::from_ref;

use flate2::read::{GzDecoder, ZlibDecoder};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};

use crate::support::{Backend, Client, TestApp};

const FILES: [(&str, &str); 6] = [
    ("/openapi.json", "application/json"),
    ("/docs/", "text/html"),
    ("/docs/index.html", "text/html"),
    ("/docs/swagger-initializer.js", "text/javascript"),
    ("/docs/swagger-ui-bundle.js", "text/javascript"),
    ("/docs/swagger-ui.css", "text/css"),
];

/// Requests a file. Returns the status, the headers and the bytes as they were sent.
async fn get(client: &Client, path: &str, headers: &[(&str, String)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = client.request(Method::GET, path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

fn decoded(encoding: Option<&str>, bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match encoding {
        None => decoded.extend(bytes),
        Some("gzip") => _ = GzDecoder::new(bytes).read_to_end(&mut decoded).unwrap(),
        Some("deflate") => _ = ZlibDecoder::new(bytes).read_to_end(&mut decoded).unwrap(),
        Some(other) => panic!("{other} is not offered"),
    }
    decoded
}

#[tokio::test]
async fn each_file_has_a_cacheable_representation_in_every_encoding() {
    let app = TestApp::start(Backend::Embedded).await;
    for (path, content_type) in FILES {
        let (status, plain, content) = get(&app.anonymous(), path, &[]).await;
        assert_eq!(status, 200, "{path}");
        assert!(plain["content-type"].to_str().unwrap().starts_with(content_type), "{path}: {plain:?}");
        assert!(!content.is_empty() && !plain.contains_key("content-encoding"), "{path}");
        let mut etags = Vec::new();
        for (accepted, expected) in [
            ("identity", None),
            ("gzip", Some("gzip")),
            ("deflate", Some("deflate")),
            ("gzip, deflate, br, zstd", Some("gzip")),
            ("br", None),
            ("gzip;q=0, deflate", Some("deflate")),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0", None),
        ] {
            let accept = ("Accept-Encoding", accepted.to_owned());
            let (status, headers, body) = get(&app.anonymous(), path, from_ref(&accept)).await;
            let case = format!("{path} {accepted}: {headers:?}");
            let encoding = headers.get("content-encoding").map(|value| value.to_str().unwrap());
            assert_eq!((status, encoding), (StatusCode::OK, expected), "{case}");
            assert!(decoded(encoding, &body) == content, "{case}");
            // A body that was compressed for this response alone would be sent in chunks.
            assert_eq!(headers["content-length"], body.len().to_string(), "{case}");
            assert_eq!(headers["vary"], "accept-encoding", "{case}");
            assert_eq!(headers["cache-control"], "public, max-age=300", "{case}");
            let etag = headers["etag"].to_str().unwrap().to_owned();
            for (tags, is_known) in [
                (etag.clone(), true),
                (format!("W/{etag}"), true),
                (format!("\"other\", {etag}"), true),
                ("*".to_owned(), true),
                ("\"other\"".to_owned(), false),
                ("nonsense".to_owned(), false),
            ] {
                let known = ("If-None-Match", tags.clone());
                let (status, headers, body) = get(&app.anonymous(), path, &[accept.clone(), known]).await;
                let case = format!("{case} {tags}: {headers:?}");
                assert_eq!(status == 304, is_known, "{case}");
                assert_eq!(headers["etag"], etag, "{case}");
                assert_eq!(body.is_empty(), is_known, "{case}");
            }
            etags.push((encoding.map(str::to_owned), etag));
        }
        etags.sort();
        etags.dedup();
        let mut tags: Vec<_> = etags.iter().map(|(_, etag)| etag).collect();
        tags.dedup();
        assert_eq!((etags.len(), tags.len()), (3, 3), "{path}: one tag for each encoding: {etags:?}");
    }
    for unknown in ["/docs/no-such-file.js", "/docs/../Cargo.toml", "/docs/%2e%2e%2fCargo.toml"] {
        app.anonymous().get(unknown).await.expect_problem(404, "unknown_route");
    }
}
