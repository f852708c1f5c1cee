//! Values: what is accepted is stored in its normal form, and whatever was accepted once stays usable.

use std::net::TcpListener;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

use crate::support::{Backend, Client, NO_WORKER, PASSWORD, TestApp, new_slug, on_both};

on_both!(
    login_and_reads_accept_whatever_sign_up_accepts,
    reads_and_orders_accept_whatever_product_is_accepted,
    values_are_the_same_in_each_unicode_form,
    stored_rows_that_the_rules_reject_stay_usable,
    prices_are_in_currencies_in_circulation,
    a_payment_is_settled_whatever_reason_the_gateway_gives,
    a_response_about_another_charge_settles_nothing,
);

/// Texts in which normalization and case mapping matter, and ordinary ones.
fn any_text() -> impl Strategy<Value = String> {
    let special =
        "[İıſßŒǅȺⱥΣςσKÅéà각e\u{301}\u{307}\u{308}\u{323}\u{958}\u{1100}\u{1161}\u{2000}\u{a0}]{1,40}";
    prop_oneof![special, "[a-zȺé가]{1,40}", "[a-zA-Z0-9._+-]{1,64}", any::<String>()]
}

/// Samples of [`any_text`], the same in each run.
fn samples<const N: usize>(count: usize) -> Vec<[String; N]> {
    let mut runner = TestRunner::deterministic();
    let mut text = || any_text().new_tree(&mut runner).unwrap().current();
    std::iter::repeat_with(|| std::array::from_fn(|_| text())).take(count).collect()
}

async fn log_in(app: &TestApp, slug: &str, email: &str, password: &str) -> Client {
    app.anonymous().log_in(slug, email, password).await
}

async fn login_and_reads_accept_whatever_sign_up_accepts(backend: Backend) {
    let app = TestApp::start(backend).await;
    let mut examples = samples::<4>(60);
    let example = |local: &str| ["b", local, PASSWORD, "Name"].map(str::to_owned);
    examples.extend(["İ", &"Ⱥ".repeat(32), &"Ⱥ".repeat(21), "ΑΣ", "K"].map(example));
    let mut accepted = 0;
    for [label, local, password, name] in examples {
        let (slug, email) = (new_slug(), format!("{local}@{label}.example"));
        let password = password.repeat(12).chars().take(100).collect::<String>();
        let owner = json!({ "email": email, "password": password });
        let body = json!({ "slug": slug, "name": name, "owner": owner });
        let response = app.anonymous().post("/v1/tenants", body).await;
        if response.status == 422 {
            response.expect_problem(422, "invalid_fields");
            continue;
        }
        accepted += 1;
        let signed_up = response.expect(201);
        let owner = log_in(&app, &slug, &email, &password).await;
        let stored = signed_up["owner"]["email"].as_str().unwrap();
        log_in(&app, &slug, stored, &password).await;
        log_in(&app, &slug, &email.nfd().collect::<String>(), &password.nfd().collect::<String>()).await;
        assert_eq!(owner.get("/v1/users/me").await.expect(200), signed_up["owner"]);
        assert_eq!(owner.get("/v1/users").await.expect(200)["items"], json!([signed_up["owner"]]));
        let again =
            json!({ "email": email.nfd().collect::<String>(), "password": PASSWORD, "role": "member" });
        owner.post("/v1/users", again).await.expect_problem(409, "email_taken");
    }
    assert!(accepted >= 10, "{accepted} sign-ups were accepted");
}

async fn reads_and_orders_accept_whatever_product_is_accepted(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let mut accepted = 0;
    let names = samples::<2>(60).into_iter().enumerate();
    for (n, [sku, name]) in names {
        let sku = if n % 2 == 0 { format!("sku-{n}") } else { sku };
        let body = json!({ "sku": sku, "name": name, "price_minor": 5, "currency": "USD", "stock": 9 });
        let response = owner.post("/v1/products", body.clone()).await;
        if response.status == 422 {
            response.expect_problem(422, "invalid_fields");
            continue;
        }
        accepted += 1;
        let product = response.expect(201);
        let id = product["id"].as_str().unwrap();
        assert_eq!(owner.get(&format!("/v1/products/{id}")).await.expect(200), product);
        owner.post("/v1/products", body).await.expect_problem(409, "sku_taken");
        let order = owner.order(id, 1).await.expect(201);
        assert_eq!(
            (&order["items"][0]["sku"], &order["items"][0]["name"]),
            (&product["sku"], &product["name"])
        );
        let order = owner.get(&format!("/v1/orders/{}", order["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(order["items"][0]["name"], product["name"]);
    }
    assert!(accepted >= 5, "{accepted} products were accepted");
    for list in ["/v1/products?limit=100", "/v1/orders?limit=100"] {
        assert_eq!(owner.get(list).await.expect(200)["items"].as_array().unwrap().len(), accepted, "{list}");
    }
}

async fn values_are_the_same_in_each_unicode_form(backend: Backend) {
    let app = TestApp::start(backend).await;
    let (composed, decomposed) = ("pässwörd-ñandú", "pa\u{308}sswo\u{308}rd-n\u{303}andu\u{301}");
    for (registered, typed) in [(composed, decomposed), (decomposed, composed)] {
        let slug = new_slug();
        let owner = json!({ "email": format!("{registered}@b.example"), "password": registered });
        let body = json!({ "slug": slug, "name": registered, "owner": owner });
        let signed_up = app.anonymous().post("/v1/tenants", body).await.expect(201);
        assert_eq!(signed_up["tenant"]["name"], composed);
        assert_eq!(signed_up["owner"]["email"], format!("{composed}@b.example"));
        log_in(&app, &slug, &format!("{typed}@b.example"), typed).await;
        log_in(&app, &slug, &format!("{registered}@B.EXAMPLE").to_uppercase(), registered).await;
    }
    // 11 characters, however the keyboard writes them.
    let owner = json!({ "email": "ada@example.com", "password": "a\u{308}".repeat(11) });
    let rejected = json!({ "slug": new_slug(), "name": "Short", "owner": owner });
    app.anonymous().post("/v1/tenants", rejected).await.expect_problem(422, "invalid_fields");
}

/// Rows as an earlier version or an operator may have written them.
async fn stored_rows_that_the_rules_reject_stay_usable(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    owner.order(&product, 1).await.expect(201);
    let long = "x".repeat(300);
    for email in ["i\u{307}@b.example".to_owned(), format!("{}@b.example", "ⱥ".repeat(32)), "ada".to_owned()]
    {
        for sql in [
            format!("UPDATE users SET email = '{email}'"),
            format!("UPDATE tenants SET name = '{long}'"),
            format!("UPDATE products SET sku = 'größe', name = ' {long}\u{7}', currency = 'XXX'"),
            format!("UPDATE order_items SET sku = 'größe', name = '{long}', quantity = 2000000"),
            "UPDATE orders SET currency = 'ANG', total_minor = 9007199254740993".to_owned(),
            format!("UPDATE payments SET currency = 'XTS', decline_reason = '{long}'"),
        ] {
            app.database.query(&sql).await;
        }
        let owner = log_in(&app, owner.tenant(), &email, PASSWORD).await;
        assert_eq!(owner.get("/v1/users/me").await.expect(200)["email"], email);
        assert_eq!(owner.get("/v1/users").await.expect(200)["items"][0]["email"], email);
        let product = owner.get(&format!("/v1/products/{product}")).await.expect(200);
        assert_eq!((&product["sku"], &product["currency"]), (&json!("größe"), &json!("XXX")));
        assert_eq!(owner.get("/v1/products").await.expect(200)["items"], json!([product]));
        let order = owner.get("/v1/orders").await.expect(200)["items"][0].clone();
        assert_eq!((&order["currency"], &order["items"][0]["quantity"]), (&json!("ANG"), &json!(2_000_000)));
        assert_eq!(owner.payment(&order["id"]).await["currency"], "XTS");
        let today = &order["created_at"].as_str().unwrap()[..10];
        let revenue = owner.get(&format!("/v1/reports/revenue?from={today}&to={today}")).await;
        assert_eq!(revenue.status.as_u16(), 409, "the total is beyond what JSON clients read exactly");
    }
    // A product in a withdrawn currency is still sold, and its price can be changed to another currency.
    let order = owner.order(&product, 1).await.expect(201);
    assert_eq!(order["currency"], "XXX");
    let change = json!({ "price_minor": 1, "currency": "USD" });
    owner.patch(&format!("/v1/products/{product}"), "\"1\"", change).await.expect(200);
}

async fn prices_are_in_currencies_in_circulation(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = |code: &str| json!({ "sku": format!("SKU-{code}"), "name": "Mug", "price_minor": 1, "currency": code });
    let path = format!("/v1/products/{}", owner.add_product(1).await);
    for code in [
        "XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XUA", "CHE", "CLF", "USN", "BGN", "HRK", "DEM",
        "ZZZ",
    ] {
        for rejected in [
            owner.post("/v1/products", product(code)).await,
            owner.patch(&path, "\"1\"", json!({ "price_minor": 1, "currency": code })).await,
        ] {
            let body = rejected.expect_problem(422, "invalid_fields");
            assert_eq!(body["errors"][0]["field"], "currency");
            assert!(body["errors"][0]["message"].as_str().unwrap().contains("in circulation"), "{body}");
        }
    }
    for code in ["USD", "EUR", "JPY", "KWD", "XAF", "XCG", "VES", "ZWG"] {
        assert_eq!(owner.post("/v1/products", product(code)).await.expect(201)["currency"], code);
    }
}

/// The URL of a payment gateway that responds to every charge with success, and with these fields instead of its own.
fn gateway_with(changes: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let respond = move |request: HttpRequest, charge: web::Json<Value>| {
        let mut charge = charge.into_inner();
        charge["key"] = request.headers().get("Idempotency-Key").unwrap().to_str().unwrap().into();
        charge["status"] = "succeeded".into();
        for (field, value) in changes.as_object().unwrap() {
            charge[field] = value.clone();
        }
        std::future::ready(HttpResponse::Ok().json(charge))
    };
    let server = HttpServer::new(move || App::new().default_service(web::to(respond.clone())));
    tokio::spawn(server.workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap().run());
    url
}

async fn a_payment_is_settled_whatever_reason_the_gateway_gives(backend: Backend) {
    let long = "x".repeat(10_000);
    for (reason, stored) in [
        (json!("stolen\u{0}_card"), json!("stolen_card")),
        (json!("\n"), json!("unknown")),
        (Value::Null, json!("unknown")),
        (json!(long), json!(long[..100])),
    ] {
        let gateway = gateway_with(json!({ "status": "declined", "decline_reason": reason }));
        let app = TestApp::start_with(backend, &[("GLASSHOUSE_PAYMENT_GATEWAY_URL", &gateway)]).await;
        let owner = app.new_tenant().await;
        let product = owner.add_product(1).await;
        let order = owner.order(&product, 1).await.expect(201);
        assert_eq!(order["status"], "payment_failed");
        assert_eq!(owner.payment(&order["id"]).await["decline_reason"], stored);
        assert_eq!(owner.stock(&product).await, 1);
    }
}

/// A success that is not that of the charge which was requested settles nothing.
async fn a_response_about_another_charge_settles_nothing(backend: Backend) {
    for (changes, status) in [
        (json!({}), 201),
        (json!({ "key": "01900000-0000-7000-8000-000000000000" }), 202),
        (json!({ "key": "" }), 202),
        (json!({ "amount_minor": 1 }), 202),
        (json!({ "currency": "EUR" }), 202),
        (json!({ "amount_minor": 0, "currency": "", "status": "refunded" }), 202),
    ] {
        let gateway = gateway_with(changes.clone());
        let settings = [NO_WORKER, &[("GLASSHOUSE_PAYMENT_GATEWAY_URL", &gateway)]].concat();
        let app = TestApp::start_with(backend, &settings).await;
        let owner = app.new_tenant().await;
        let product = owner.add_product(1).await;
        let order = owner.order(&product, 1).await;
        assert_eq!(order.status.as_u16(), status, "{changes}");
        let expected = if status == 201 { "paid" } else { "pending" };
        assert_eq!(order["status"], expected, "{changes}");
    }
}
