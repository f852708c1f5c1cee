//! Content codings: every response can be read as its headers describe it, and codings that the service does not
//! support are rejected, in both directions.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{Backend, Client, Playground, Response, TestApp, eventually, key, on_both};

on_both!(
    errors_are_readable_in_every_encoding,
    a_response_without_an_acceptable_encoding_is_a_problem_document,
    a_small_response_is_compressed_only_if_it_must_be,
    an_unsupported_coding_of_a_body_is_rejected,
    a_supported_coding_of_a_body_is_decoded,
);

/// Values of `Accept-Encoding` that allow a response.
const ACCEPTED: [&str; 9] = [
    "",
    "gzip",
    "deflate",
    "gzip, deflate",
    "deflate;q=1.0, gzip;q=0.5",
    "br, zstd, gzip",
    "*",
    "identity",
    "gzip, identity;q=0",
];

/// Sends a request and decodes the body as `Content-Encoding` says, as browsers and SDKs do.
async fn decoded(request: reqwest::RequestBuilder, accepts: &str) -> Response {
    let response = request.header(ACCEPT_ENCODING, accepts).send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    if let Some(length) = headers.get(CONTENT_LENGTH) {
        assert_eq!(length.to_str().unwrap(), bytes.len().to_string());
    }
    let mut text = String::new();
    let read = match headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap()) {
        None => (&*bytes).read_to_string(&mut text),
        Some("gzip") => GzDecoder::new(&*bytes).read_to_string(&mut text),
        Some("deflate") => ZlibDecoder::new(&*bytes).read_to_string(&mut text),
        Some(other) => panic!("{other} was not asked for: {accepts}"),
    };
    read.unwrap_or_else(|error| panic!("{accepts:?}: {error}: {headers:?}: {bytes:?}"));
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Response { status, headers, body }
}

async fn errors_are_readable_in_every_encoding(backend: Backend) {
    let settings = [("GLASSHOUSE_RATE_LIMIT_PRO", "1/1"), ("GLASSHOUSE_FAULTS_ENABLED", "true")];
    let app = TestApp::start_with(backend, &settings).await;
    let (owner, nobody) = (app.new_tenant().await, app.anonymous());
    let throttled = app.sign_up(&crate::support::new_slug(), "pro").await;
    let fault = |name: &str, path: &str| json!({ name: { "endpoint": path, "seconds": 300 } });
    let mut faults = fault("panics", "/v1/products");
    faults["errors"] = fault("errors", "/v1/users")["errors"].clone();
    app.management().send(Method::PUT, "/faults", Some(faults)).await.expect(200);
    let order = format!("/v1/orders/{}", uuid::Uuid::now_v7());
    let long = json!({ "items": [], "padding": "x".repeat(70_000) });
    for accepts in ACCEPTED {
        let get = |client: &Client, path: &str| client.request(Method::GET, path);
        let post = |body: &Value| {
            owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key()).json(body)
        };
        let plain_text = || {
            let order = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key());
            order.header(CONTENT_TYPE, "text/plain").body("{}")
        };
        for (request, status, code) in [
            (get(&nobody, "/nope"), 404, "unknown_route"),
            (get(&nobody, "/docs/nope.js"), 404, "unknown_route"),
            (get(&nobody, "/v1/orders"), 401, "not_logged_in"),
            (get(&nobody.clone().with_token("a.b.c"), "/v1/orders"), 401, "token_invalid"),
            (get(&owner, &order), 404, "not_found"),
            (get(&owner, "/v1/orders?limit=x"), 400, "invalid_query"),
            (get(&owner, "/v1/orders/x"), 400, "invalid_path"),
            (get(&owner, "/v1/orders?limit=0"), 422, "invalid_fields"),
            (owner.request(Method::PUT, "/v1/orders"), 405, "method_not_allowed"),
            (owner.request(Method::from_bytes(b"FIND").unwrap(), "/v1/orders"), 501, "unknown_method"),
            (post(&long), 413, "body_too_large"),
            (post(&json!({})), 422, "invalid_body"),
            (plain_text(), 415, "unsupported_media_type"),
            (post(&json!({})).header(CONTENT_ENCODING, "br"), 415, "unsupported_content_encoding"),
            (owner.request(Method::POST, "/v1/orders"), 400, "idempotency_key_required"),
            (get(&owner, "/v1/products"), 500, "internal_server_error"),
            (get(&owner, "/v1/users"), 500, "internal_server_error"),
        ] {
            decoded(request, accepts).await.expect_problem(status, code);
        }
        let rejected = eventually("the tenant is throttled", async || {
            Some(decoded(get(&throttled, "/v1/users/me"), accepts).await)
                .filter(|response| response.status == 429)
        })
        .await;
        rejected.expect_problem(429, "rate_limited");
    }
}

#[tokio::test]
async fn a_shed_request_is_readable_in_every_encoding() {
    let settings =
        [("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "1"), ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "30000")];
    let app = TestApp::start_with(Backend::Embedded, &settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "latency_ms": 5000 })).await;
    let order = owner.spawn_order(&product);
    eventually("the order is at the gateway", async || {
        let pending = "SELECT count(*) AS n FROM orders WHERE state = 'pending'";
        (app.database.number(pending).await == 1).then_some(())
    })
    .await;
    for accepts in ACCEPTED {
        let shed = decoded(owner.request(Method::GET, "/v1/users/me"), accepts).await;
        shed.expect_problem(503, "overloaded");
    }
    order.await.unwrap().expect(201);
}

async fn a_response_without_an_acceptable_encoding_is_a_problem_document(backend: Backend) {
    let play = Playground::new(backend).await;
    for accepts in ["identity;q=0", "*;q=0", "br, identity;q=0", "zstd, *;q=0", "gzip;q=0, *;q=0"] {
        for path in ["/v1/users/me", "/health/live", "/openapi.json", "/docs/", "/nope"] {
            let request = play.owner.request(Method::GET, path);
            let response = decoded(request, accepts).await;
            assert!(response.header("vary").eq_ignore_ascii_case("accept-encoding"), "{response:?}");
            let rejected = response.expect_problem(406, "not_acceptable");
            assert!(rejected["detail"].as_str().unwrap().contains("gzip, deflate"), "{rejected}");
        }
    }
}

async fn a_small_response_is_compressed_only_if_it_must_be(backend: Backend) {
    let play = Playground::new(backend).await;
    for _ in 0..20 {
        play.owner.add_product(1).await;
    }
    let (small, large) = (["/v1/users/me", "/v1/orders", "/health/live"], ["/v1/products", "/openapi.json"]);
    for accepts in ACCEPTED {
        // `*` allows all codings alike, and `identity` is the first.
        let offers_coding = !matches!(accepts, "" | "identity" | "*");
        let must_be_coded = accepts.ends_with("identity;q=0");
        let paths = small.map(|path| (path, true)).into_iter().chain(large.map(|path| (path, false)));
        for (path, is_small) in paths {
            let response = decoded(play.owner.request(Method::GET, path), accepts).await;
            let case = format!("{path} {accepts:?}: {:?}", response.headers);
            let coding = response.headers.get(CONTENT_ENCODING).map(|coding| coding.to_str().unwrap());
            assert_eq!(coding.is_some(), offers_coding && (!is_small || must_be_coded), "{case}");
            response.expect(200);
        }
    }
}

async fn an_unsupported_coding_of_a_body_is_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    let valid = json!({ "sku": "CUP", "name": "Cup", "price_minor": 1, "currency": "USD" }).to_string();
    for codings in [
        &["br"][..],
        &["zstd"],
        &["x-gzip"],
        &["compress"],
        &["BR"],
        &["gzip, gzip"],
        &["gzip, br"],
        &["identity, br"],
        &["gzip", "gzip"],
        &["gzip", "br"],
        &["identity", "br"],
        &["nonsense"],
        &["*"],
        &["gzip;q=1"],
        &["größe"],
    ] {
        for path in ["/v1/products", "/v1/auth/login"] {
            let mut request = play.owner.request(Method::POST, path).header(CONTENT_TYPE, "application/json");
            for coding in codings {
                request = request.header(CONTENT_ENCODING, coding.as_bytes());
            }
            let response = Response::of(request.body(valid.clone())).await;
            assert_eq!(response.header("accept-encoding"), "gzip, deflate", "{codings:?}: {response:?}");
            let rejected = response.expect_problem(415, "unsupported_content_encoding");
            assert!(rejected["detail"].as_str().unwrap().contains("gzip, deflate"), "{rejected}");
        }
    }
}

async fn a_supported_coding_of_a_body_is_decoded(backend: Backend) {
    let play = Playground::new(backend).await;
    for (codings, coded) in [
        (&["gzip"][..], Some("gzip")),
        (&["GZip"], Some("gzip")),
        (&["gzip,"], Some("gzip")),
        (&[", gzip ,"], Some("gzip")),
        (&["identity, gzip"], Some("gzip")),
        (&["gzip, identity"], Some("gzip")),
        (&["identity", "gzip"], Some("gzip")),
        (&["deflate"], Some("deflate")),
        (&["DEFLATE"], Some("deflate")),
        (&["identity"], None),
        (&["Identity"], None),
        (&["identity, identity"], None),
        (&[""], None),
        (&[" , "], None),
        (&[], None),
    ] {
        let product = json!({ "sku": key(), "name": "Cup", "price_minor": 1, "currency": "USD" }).to_string();
        let body = match coded {
            Some("gzip") => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(product.as_bytes()).unwrap();
                encoder.finish().unwrap()
            }
            Some(_) => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(product.as_bytes()).unwrap();
                encoder.finish().unwrap()
            }
            None => product.into_bytes(),
        };
        let mut request =
            play.owner.request(Method::POST, "/v1/products").header(CONTENT_TYPE, "application/json");
        for coding in codings {
            request = request.header(CONTENT_ENCODING, *coding);
        }
        let response = Response::of(request.body(body)).await;
        assert_eq!(response.status, 201, "{codings:?}: {}", response.body);
    }
    // A coding describes a body: without one there is nothing to decode.
    let bodiless = play.owner.request(Method::GET, "/v1/users/me").header(CONTENT_ENCODING, "br");
    Response::of(bodiless).await.expect(200);
}
