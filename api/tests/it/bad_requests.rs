//! Invalid queries, paths, methods and headers: each is rejected with a problem document that names the error.

use reqwest::Method;
use serde_json::json;

use crate::support::{Backend, Playground, Response, exchange, key, named, on_both, operations};

on_both!(
    invalid_queries_are_rejected,
    an_id_that_is_not_a_uuid_is_rejected,
    unknown_routes_and_methods_are_rejected,
    an_invalid_idempotency_key_is_rejected,
    a_header_with_one_value_that_comes_twice_is_rejected,
);

async fn invalid_queries_are_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    let short = "c1".to_owned() + &"0".repeat(31);
    let letters = "c1".to_owned() + &"g".repeat(32);
    let other = "c2".to_owned() + &"0".repeat(32);
    for list in ["users", "products", "orders"] {
        for limit in ["abc", "-1", "1.5", "", "99999999999999999999", "%00"] {
            let response = play.owner.get(&format!("/v1/{list}?limit={limit}")).await;
            response.expect_problem(400, "invalid_query");
        }
        for limit in ["0", "101", "18446744073709551615"] {
            let rejected = play.owner.get(&format!("/v1/{list}?limit={limit}")).await;
            assert_eq!(named(&rejected.expect_problem(422, "invalid_fields")), ["limit"]);
        }
        for cursor in ["", "x", "%00", "%ff", "c1", &short, &letters, &other, "c1%F0%9F%98%80"] {
            let rejected = play.owner.get(&format!("/v1/{list}?cursor={cursor}")).await;
            assert_eq!(named(&rejected.expect_problem(422, "invalid_fields")), ["cursor"], "{cursor}");
        }
        let both = play.owner.get(&format!("/v1/{list}?cursor=x&limit=0")).await;
        assert_eq!(named(&both.expect_problem(422, "invalid_fields")), ["cursor", "limit"]);
    }
    for status in ["shipped", "PAID", "", "%00", "paid,pending"] {
        let rejected = play.owner.get(&format!("/v1/orders?status={status}")).await;
        let rejected = rejected.expect_problem(422, "invalid_fields");
        assert_eq!(named(&rejected), ["status"]);
        assert!(rejected["errors"][0]["message"].as_str().unwrap().contains("payment_failed"), "{rejected}");
    }
    for (period, status, fields) in [
        ("", 400, vec![]),
        ("from=2026-01-01", 400, vec![]),
        ("from=&to=", 422, vec!["from", "to"]),
        ("from=2026-02-30&to=2026-13-01", 422, vec!["from", "to"]),
        ("from=yesterday&to=2026-01-01", 422, vec!["from"]),
        ("from=2026-01-01&to=%00", 422, vec!["to"]),
        ("from=2026-01-02&to=2026-01-01", 422, vec!["to"]),
        ("from=2020-01-01&to=2026-01-01", 422, vec!["to"]),
        ("from=-9999-01-01&to=-9999-01-02", 422, vec!["from", "to"]),
        ("from=0000-01-01&to=0000-01-02", 422, vec!["from", "to"]),
    ] {
        let rejected = play.owner.get(&format!("/v1/reports/revenue?{period}")).await;
        assert_eq!(rejected.status, status, "{period}: {}", rejected.body);
        if status == 422 {
            assert_eq!(named(&rejected.expect_problem(422, "invalid_fields")), fields, "{period}");
        }
    }
    for (from, to) in [("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31")] {
        let ancient = play.owner.get(&format!("/v1/reports/revenue?from={from}&to={to}")).await;
        assert_eq!(ancient.expect(200), json!([]), "{from}");
    }
}

async fn an_id_that_is_not_a_uuid_is_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    let bodies = play.bodies();
    for operation in operations().keys().filter(|operation| operation.contains("{id}")) {
        for id in ["1", "%00", "%ff", "not-a-uuid", "00000000-0000-0000-0000-00000000000g", "' OR 1=1 --"] {
            let request = play.owner.operation(operation, id);
            let body = bodies.iter().find(|(name, _)| name == operation).map(|(_, body)| body);
            let response =
                Response::of(body.into_iter().fold(request, |request, body| request.json(body))).await;
            assert_eq!(response.status, 400, "{operation} {id}: {}", response.body);
            let rejected = response.expect_problem(400, "invalid_path");
            assert!(rejected["detail"].as_str().unwrap().contains("must be a UUID"), "{rejected}");
        }
    }
}

async fn unknown_routes_and_methods_are_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    for path in ["/v1", "/v1/", "/v2/orders", "/v1/nothing", "/v1/orders/", "/v1/orders/1/2/3", "/..%2f"] {
        let response = play.owner.get(path).await.expect_problem(404, "unknown_route");
        assert!(response["detail"].as_str().unwrap().contains("see /docs"));
    }
    let id = uuid::Uuid::now_v7();
    for (method, path, allowed) in [
        (Method::PUT, "/v1/orders".to_owned(), "GET, HEAD, POST"),
        (Method::DELETE, "/v1/tenants".to_owned(), "POST"),
        (Method::GET, "/v1/auth/login".to_owned(), "POST"),
        (Method::PUT, format!("/v1/products/{id}"), "DELETE, GET, HEAD, PATCH"),
        (Method::GET, format!("/v1/payments/{id}/refund"), "POST"),
        (Method::OPTIONS, format!("/v1/orders/{id}"), "GET, HEAD"),
    ] {
        for client in [&play.owner, &play.app.anonymous()] {
            let response = client.send(method.clone(), &path, None).await;
            assert_eq!(response.header("allow"), allowed, "{method} {path}");
            let rejected = response.expect_problem(405, "method_not_allowed");
            assert!(rejected["detail"].as_str().unwrap().contains(allowed), "{rejected}");
        }
    }
}

async fn an_invalid_idempotency_key_is_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    let without_key = play.owner.send(Method::POST, "/v1/orders", None).await;
    without_key.expect_problem(400, "idempotency_key_required");
    for bad in ["two words", "größe", &"k".repeat(256)] {
        let request =
            play.owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", bad.as_bytes());
        Response::of(request.json(&json!({}))).await.expect_problem(400, "idempotency_key_invalid");
    }
    play.owner.order_with_key(&play.product, 1, &key()).await.expect(201);
}

async fn a_header_with_one_value_that_comes_twice_is_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    let order = json!({ "items": [{ "product_id": play.product, "quantity": 1 }] });
    let bearer = format!("Bearer {}", play.owner.token());
    for (name, values) in [
        ("Authorization", [&*bearer, &*bearer]),
        ("Authorization", [&bearer, "Bearer other"]),
        ("Authorization", ["Bearer other", &bearer]),
        ("authorization", ["", &bearer]),
        ("Content-Type", ["application/json", "application/json"]),
        ("Content-Type", ["application/json", "text/plain"]),
        ("Idempotency-Key", ["one", "one"]),
        ("Idempotency-Key", ["one", "two"]),
        ("idempotency-key", ["", "two"]),
    ] {
        let body = order.to_string();
        let length = body.len().to_string();
        let usual = [
            ("Host", "x"),
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "one"),
        ];
        let mut headers: Vec<_> =
            usual.into_iter().filter(|(usual, _)| !usual.eq_ignore_ascii_case(name)).collect();
        headers.extend(values.map(|value| (name, value)));
        headers.push(("Content-Length", &length));
        let address = play.app.addresses.http.unwrap().to_string();
        let response = exchange(&address, "POST /v1/orders HTTP/1.1", &headers, &body).await;
        assert!(response.starts_with("HTTP/1.1 400"), "{name} {values:?}: {response}");
        assert!(response.contains("\"code\":\"repeated_header\""), "{name} {values:?}: {response}");
    }
    let address = play.app.addresses.http.unwrap().to_string();
    let two_hosts = [("Host", "x"), ("Host", "y")];
    let response = exchange(&address, "GET /health/live HTTP/1.1", &two_hosts, "").await;
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    assert_eq!(play.owner.get("/v1/orders").await.expect(200)["items"], json!([]), "it has no effect");
}
