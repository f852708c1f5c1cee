//! Invalid bodies: each is rejected with the right 4xx and a helpful problem document, never with a 500.

use serde_json::{Value, json};

use crate::support::{
    Backend, Playground, Response, assert_complete, named, on_both, required_fields, valid_bodies,
};

on_both!(
    a_body_that_is_not_an_object_is_rejected,
    a_body_without_the_json_content_type_is_rejected,
    a_body_that_is_too_large_is_rejected,
    a_missing_field_is_named,
    a_field_of_the_wrong_type_is_rejected,
    a_whole_number_may_have_a_decimal_point,
    no_part_of_a_password_is_returned,
    every_invalid_field_is_named,
    invalid_orders_are_rejected,
    sums_out_of_range_are_rejected,
);

#[test]
fn every_operation_with_a_body_is_tried() {
    let bodies = valid_bodies("");
    assert_complete(bodies.iter().map(|(operation, _)| *operation), |_, described| {
        described["requestBody"].is_object()
    });
}

async fn a_body_that_is_not_an_object_is_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    for (operation, valid) in play.bodies() {
        let in_order: Value = valid.as_object().unwrap().values().cloned().collect();
        for (body, status, code) in [
            (b"".to_vec(), 400, "malformed_json"),
            (b"{".to_vec(), 400, "malformed_json"),
            (b"nonsense".to_vec(), 400, "malformed_json"),
            (b"{'a': 1}".to_vec(), 400, "malformed_json"),
            (b"{\"\xff\": 1}".to_vec(), 400, "malformed_json"),
            (b"\xef\xbb\xbf{}".to_vec(), 400, "malformed_json"),
            (format!("{valid}{valid}").into_bytes(), 400, "malformed_json"),
            (b"null".to_vec(), 422, "invalid_body"),
            (b"true".to_vec(), 422, "invalid_body"),
            (b"12".to_vec(), 422, "invalid_body"),
            (b"\"text\"".to_vec(), 422, "invalid_body"),
            (b"[]".to_vec(), 422, "invalid_body"),
            (b"[{}]".to_vec(), 422, "invalid_body"),
            (in_order.to_string().into_bytes(), 422, "invalid_body"),
            (b"{\"no such field\": 1}".to_vec(), 422, "invalid_body"),
            ("[".repeat(30_000).into_bytes(), 422, "invalid_body"),
            ("{\"no such field\":".repeat(3_000).into_bytes(), 422, "invalid_body"),
        ] {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let response = play.send(operation, body).await;
            assert_eq!(response.status, status, "{operation}: {shown}: {}", response.body);
            response.expect_problem(status, code);
        }
    }
}

async fn a_body_without_the_json_content_type_is_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    for (operation, valid) in play.bodies() {
        let request = || play.owner.operation(operation, &play.product).body(valid.to_string());
        Response::of(request()).await.expect_problem(415, "unsupported_media_type");
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
        {
            let response = Response::of(request().header("Content-Type", content_type)).await;
            let body = response.expect_problem(415, "unsupported_media_type");
            assert!(body["detail"].as_str().unwrap().contains("Content-Type: application/json"));
        }
    }
    let packed = play.owner.operation("POST /v1/products", "").header("Content-Type", "application/json");
    let response = Response::of(packed.header("Content-Encoding", "gzip").body("{}")).await;
    response.expect_problem(400, "unreadable_body");
}

async fn a_body_that_is_too_large_is_rejected(backend: Backend) {
    const LIMIT: usize = 65_536;
    let play = Playground::new(backend).await;
    let padded = |size: usize| format!("{{}}{}", " ".repeat(size - 2));
    for (operation, _) in play.bodies() {
        let fits = play.send(operation, padded(LIMIT)).await;
        assert!(matches!(fits.status.as_u16(), 200 | 412 | 422), "{operation}: {}", fits.body);
        let body = play.send(operation, padded(LIMIT + 1)).await.expect_problem(413, "body_too_large");
        assert_eq!(body["detail"], format!("the body must not exceed {LIMIT} bytes"), "{operation}");
    }
}

async fn a_missing_field_is_named(backend: Backend) {
    let play = Playground::new(backend).await;
    for (operation, valid) in play.bodies() {
        for field in required_fields(operation) {
            let mut body = valid.clone();
            body.as_object_mut().unwrap().remove(&field).unwrap();
            let rejected = play.send(operation, body.to_string()).await.expect_problem(422, "invalid_body");
            let detail = rejected["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("missing field `{field}`")), "{operation}: {detail}");
        }
        let mut body = valid.clone();
        body["emial"] = json!(1);
        let rejected = play.send(operation, body.to_string()).await.expect_problem(422, "invalid_body");
        assert!(rejected["detail"].as_str().unwrap().contains("unknown field `emial`"), "{rejected}");
    }
}

/// The JSON pointers of all values of a body.
fn places(body: &Value, at: &str) -> Vec<String> {
    let below: Vec<String> = match body {
        Value::Object(fields) => fields.iter().flat_map(|(k, v)| places(v, &format!("{at}/{k}"))).collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, v)| places(v, &format!("{at}/{i}"))).collect()
        }
        _ => Vec::new(),
    };
    let here = (!at.is_empty()).then(|| at.to_owned());
    here.into_iter().chain(below).collect()
}

/// The text of a body in which one value is replaced.
fn spoilt(body: &Value, place: &str, json: &str) -> String {
    let mut body = body.clone();
    *body.pointer_mut(place).unwrap() = json!("@@@");
    body.to_string().replace("\"@@@\"", json)
}

async fn a_field_of_the_wrong_type_is_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    let long = json!("x".repeat(60_000)).to_string();
    for (operation, valid) in play.bodies() {
        for place in places(&valid, "") {
            let optional =
                !required_fields(operation).iter().any(|field| place.starts_with(&format!("/{field}")));
            let right = &valid.pointer(&place).unwrap();
            for wrong in [
                "null",
                "true",
                "[]",
                "{}",
                "[[]]",
                "-1",
                "0",
                "0.5",
                "1e400",
                "-1e400",
                "9223372036854775808",
                "18446744073709551616",
                "-9223372036854775809",
                "1000000000000000000000000000000",
                "\"\"",
                "\"1\"",
                "\"\\u0000\"",
                "\"a\\u0000b\"",
                "\"\\ud800\"",
                "\"\\u202e\"",
                "\"😀\"",
                &long,
            ] {
                let response = play.send(operation, spoilt(&valid, &place, wrong)).await;
                let (status, body) = (response.status.as_u16(), &response.body);
                let case = format!("{operation} {place} {}: {body}", &wrong[..wrong.len().min(40)]);
                let kind = match wrong.as_bytes()[0] {
                    b'"' => right.is_string(),
                    b'[' => right.is_array(),
                    b'{' => right.is_object(),
                    b't' => right.is_boolean(),
                    // In a partial update, null is no value.
                    b'n' => optional && !operation.starts_with("PATCH"),
                    _ => right.is_i64() && !wrong.contains(['.', 'e']) && wrong.len() < 19,
                };
                assert!(status < 500, "{case}");
                if !kind {
                    assert!(matches!(status, 400 | 422), "{case}");
                    response.expect_problem(
                        status,
                        if status == 400 { "malformed_json" } else { "invalid_body" },
                    );
                }
            }
        }
    }
}

async fn a_whole_number_may_have_a_decimal_point(backend: Backend) {
    let play = Playground::new(backend).await;
    let mut count = 0;
    for (operation, valid) in play.bodies() {
        for place in places(&valid, "") {
            let Some(number) = valid.pointer(&place).unwrap().as_i64() else { continue };
            for same in [format!("{number}.0"), format!("{number}.0e0"), format!("{number}0e-1")] {
                let response = play.send(operation, spoilt(&valid, &place, &same)).await;
                let is_accepted = response.status.is_success() || response["code"] == "sku_taken";
                assert!(
                    is_accepted || response["code"] == "changed_meanwhile",
                    "{operation} {place} {same}: {}",
                    response.body
                );
                count += 1;
            }
        }
    }
    assert!(count >= 12, "{count}");
}

async fn no_part_of_a_password_is_returned(backend: Backend) {
    let play = Playground::new(backend).await;
    for (operation, valid) in play.bodies() {
        for place in places(&valid, "") {
            for secret in [
                r#""hunter2 \"correct\" horse, expected battery""#,
                r#"["hunter2 correct horse battery"]"#,
                r#"{"password": "hunter2 correct horse battery"}"#,
                "20260131775533",
                "20260131.775533",
                "\"20260131775533",
                "-20260131775533",
            ] {
                let response = play.send(operation, spoilt(&valid, &place, secret)).await;
                let rejected = response.status.is_client_error();
                let shown = response.body.to_string();
                for part in ["hunter2", "horse", "battery", "20260131", "775533"] {
                    assert!(!rejected || !shown.contains(part), "{operation} {place} {secret}: {shown}");
                }
            }
        }
    }
}

async fn every_invalid_field_is_named(backend: Backend) {
    let play = Playground::new(backend).await;
    let product = &play.product;
    let item = |quantity: i64| json!({ "product_id": product, "quantity": quantity });
    let owner = json!({ "email": "nobody", "password": "short" });
    for (operation, body, fields) in [
        (
            "POST /v1/tenants",
            json!({ "slug": "A B", "name": "a\u{0}b", "plan": "gold", "source": "tv", "owner": owner }),
            vec!["slug", "name", "plan", "source", "owner.email", "owner.password"],
        ),
        (
            "POST /v1/users",
            json!({ "email": "a\u{0}@example.com", "password": "x".repeat(129), "role": "root" }),
            vec!["email", "password", "role"],
        ),
        (
            "POST /v1/products",
            json!({ "sku": "a\u{0}", "name": "", "price_minor": -1, "currency": "XYZ", "stock": -1 }),
            vec!["sku", "name", "currency", "price_minor", "stock"],
        ),
        (
            "PATCH /v1/products/{id}",
            json!({ "name": "x".repeat(201), "price_minor": 9_007_199_254_740_992_i64, "currency": "usd" }),
            vec!["name", "currency", "price_minor"],
        ),
        ("PATCH /v1/products/{id}", json!({ "name": "", "price_minor": 1 }), vec!["name", "currency"]),
        ("PATCH /v1/products/{id}", json!({ "currency": "USD" }), vec!["price_minor"]),
        ("PATCH /v1/users/{id}", json!({ "role": "a\u{0}" }), vec!["role"]),
        ("POST /v1/products/{id}/stock", json!({ "delta": 0 }), vec!["delta"]),
        ("POST /v1/products/{id}/stock", json!({ "delta": i64::MIN }), vec!["delta"]),
        (
            "POST /v1/orders",
            json!({ "items": [item(0), item(1), item(-1), item(1_000_001)] }),
            vec!["items[0].quantity", "items[2].quantity", "items[3].quantity"],
        ),
    ] {
        let rejected = play.send(operation, body.to_string()).await.expect_problem(422, "invalid_fields");
        assert_eq!(named(&rejected), fields, "{operation}");
        for error in rejected["errors"].as_array().unwrap() {
            assert!(error["message"].as_str().unwrap().starts_with("must "), "{error}");
        }
    }
}

async fn invalid_orders_are_rejected(backend: Backend) {
    let play = Playground::new(backend).await;
    let product = &play.product;
    let euros = json!({ "sku": "EUR", "name": "Cup", "price_minor": 1, "currency": "EUR", "stock": 9 });
    let euros = play.owner.post("/v1/products", euros).await.expect(201)["id"].clone();
    let item = |product: &Value, quantity: i64| json!({ "product_id": product, "quantity": quantity });
    let mug = json!(product);
    for (items, message) in [
        (json!([]), "must have at least one item"),
        (json!(vec![item(&mug, 1); 51]), "must have at most 50 items"),
        (json!([item(&mug, 600_000), item(&mug, 600_000)]), "the quantity of one product must be"),
        (json!([item(&json!(uuid::Uuid::nil()), 1)]), "there is no product 00000000-"),
        (json!([item(&mug, 1), item(&json!(uuid::Uuid::now_v7()), 1)]), "there is no product"),
        (json!([item(&mug, 1), item(&euros, 1)]), "the total must be in one currency"),
    ] {
        let body = json!({ "items": items }).to_string();
        let rejected = play.send("POST /v1/orders", body).await.expect_problem(422, "invalid_fields");
        assert!(rejected["errors"][0]["message"].as_str().unwrap().starts_with(message), "{rejected}");
        assert_eq!(named(&rejected), ["items"]);
    }
    let dry = play.owner.order(product, 1_000_000).await;
    dry.expect(201);
    play.owner.order(product, 1).await.expect_problem(409, "out_of_stock");
    assert_eq!(play.owner.stock(euros.as_str().unwrap()).await, 9);
}

async fn sums_out_of_range_are_rejected(backend: Backend) {
    const MAX_MINOR: i64 = 9_007_199_254_740_991;
    let play = Playground::new(backend).await;
    let product = |sku: &str, price: i64| json!({ "sku": sku, "name": "Star", "price_minor": price, "currency": "USD", "stock": 1_000_000 });
    let add = async |sku: &str, price| {
        play.owner.post("/v1/products", product(sku, price)).await.expect(201)["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (dearest, cent) = (add("STAR", MAX_MINOR).await, add("CENT", 1).await);
    let items = |lines: &[(&str, i64)]| {
        let lines = lines.iter().map(|(id, quantity)| json!({ "product_id": id, "quantity": quantity }));
        json!({ "items": lines.collect::<Vec<_>>() }).to_string()
    };
    for lines in [&[(dearest.as_str(), 2)][..], &[(&dearest, 1_000_000)], &[(&dearest, 1), (&cent, 1)]] {
        let rejected = play.send("POST /v1/orders", items(lines)).await.expect_problem(422, "invalid_fields");
        assert_eq!(
            rejected["errors"][0]["message"],
            format!("the total must not exceed {MAX_MINOR} minor units")
        );
    }
    assert_eq!((play.owner.stock(&dearest).await, play.owner.stock(&cent).await), (1_000_000, 1_000_000));

    // Each of these amounts is in range, and their sum is not.
    let order = play.owner.order(&dearest, 1).await.expect(201);
    let today = &order["created_at"].as_str().unwrap()[..10];
    let report = format!("/v1/reports/revenue?from={today}&to={today}");
    assert_eq!(play.owner.get(&report).await.expect(200)[0]["gross_minor"], MAX_MINOR);
    play.owner.order(&dearest, 1).await.expect(201);
    let rejected = play.owner.get(&report).await.expect_problem(409, "sum_too_large");
    assert!(rejected["detail"].as_str().unwrap().contains(today), "{rejected}");
}
