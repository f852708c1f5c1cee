//! The round trips to Postgres of each endpoint, including transaction control. ARCHITECTURE.md explains each
//! statement.

use std::collections::BTreeSet;

use glasshouse_api::http::public::docs;
use glasshouse_domain::values::ResetToken;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Backend, Client, Response, TestApp, TestDatabase, WireTap, key};

/// An application with one recorded connection to Postgres, and an idle worker.
async fn tapped() -> (TestApp, WireTap) {
    let database = TestDatabase::create(Backend::Servers).await;
    let tap = WireTap::before(&database.service_url()).await;
    let settings = [
        ("DATABASE_URL", tap.url()),
        ("DATABASE_POOL_SIZE", "1"),
        ("GLASSHOUSE_OUTBOX_POLL_MS", "600000"),
        ("GLASSHOUSE_RECONCILE_POLL_MS", "600000"),
    ];
    (TestApp::start_on(database, &settings).await, tap)
}

/// The objects of a tenant that the operations use.
struct Scene {
    owner: Client,
    product: String,
}

const RESERVE: [&str; 2] =
    ["UPDATE products", "INSERT orders, INSERT order_items, INSERT payments, INSERT idempotent_requests"];
const SETTLE: &str = "UPDATE payments, UPDATE orders, INSERT outbox_messages, UPDATE idempotent_requests";

/// One transaction with these statements. The first round trip also binds it to the tenant, and looks up the caller. A read of one
/// statement does both itself.
fn transaction(statements: &[&'static str]) -> Vec<&'static str> {
    [&["BEGIN"], statements, &["COMMIT"]].concat()
}

/// The statements of every operation, with the caller in the cache.
fn expected() -> Vec<(&'static str, Vec<&'static str>)> {
    let one = |statement| transaction(&[statement]);
    let change_user = ["SELECT users", "UPDATE users"];
    let request_refund = ["INSERT idempotent_requests", "SELECT payments, orders", "UPDATE payments"];
    let complete_refund = ["SELECT payments, orders", SETTLE];
    let cancel = [
        "INSERT idempotent_requests",
        "SELECT payments, orders",
        "SELECT order_items",
        "UPDATE products",
        "UPDATE orders, UPDATE payments, UPDATE idempotent_requests",
    ];
    vec![
        ("sign_up", transaction(&["INSERT tenants", "INSERT users"])),
        ("log_in", one("SELECT users")),
        ("request_password_reset", one("INSERT outbox_messages")),
        (
            "reset_password",
            [
                one("SELECT password_resets, users"),
                transaction(&["SELECT password_resets, users", "UPDATE users"]),
            ]
            .concat(),
        ),
        ("change_password", [vec!["SELECT users"], one("UPDATE users")].concat()),
        ("show_me", vec!["SELECT users"]),
        ("list_users", vec!["SELECT users"]),
        ("add_user", one("INSERT users")),
        ("show_user", vec!["SELECT users"]),
        ("change_user", transaction(&change_user)),
        ("deactivate_user", transaction(&change_user)),
        ("list_products", vec!["SELECT products"]),
        ("add_product", one("INSERT products")),
        ("show_product", vec!["SELECT products"]),
        ("change_product", one("UPDATE products")),
        ("archive_product", one("UPDATE products")),
        (
            "move_product_stock",
            transaction(&[
                "INSERT idempotent_requests",
                "SELECT products",
                "SELECT orders, order_items",
                "UPDATE products",
                "UPDATE idempotent_requests",
            ]),
        ),
        ("place_order", [transaction(&RESERVE), one(SETTLE)].concat()),
        ("list_orders", vec!["SELECT orders, order_items"]),
        ("show_order", vec!["SELECT orders, order_items"]),
        ("cancel_order", transaction(&cancel)),
        ("list_payments", vec!["SELECT payments"]),
        ("refund_payment", [transaction(&request_refund), transaction(&complete_refund)].concat()),
        ("report_revenue", one("SELECT orders")),
    ]
}

/// Performs an operation and asserts its success.
async fn perform(operation: &str, app: &TestApp, scene: &Scene, tap: &WireTap) {
    let Scene { owner, product } = scene;
    let slug = || format!("s-{}", &key()[24..]);
    let tenant = || {
        let owner = json!({ "email": "owner@example.com", "password": "correct horse battery staple" });
        json!({ "slug": slug(), "name": "New", "owner": owner })
    };
    let new_user = || json!({ "email": format!("{}@example.com", key()), "password": "correct horse battery", "role": "member" });
    let new_product =
        || json!({ "sku": key(), "name": "Mug", "price_minor": 100, "currency": "USD", "stock": 100 });
    let login = json!({
        "tenant": owner.tenant(),
        "email": format!("owner@{}.example", owner.tenant()),
        "password": "correct horse battery staple",
    });
    let product_path = format!("/v1/products/{product}");
    let added = async |path: &str, body: Value| -> String {
        let added = owner.post(path, body).await.expect(201);
        tap.take();
        format!("{path}/{}", added["id"].as_str().unwrap())
    };
    let ordered = async |status: u16| -> Value {
        let order = owner.order(product, 1).await.expect(status);
        tap.take();
        order["id"].clone()
    };
    let order_path = |order: Value, rest: &str| format!("/v1/orders/{}{rest}", order.as_str().unwrap());
    match operation {
        "sign_up" => owner.post("/v1/tenants", tenant()).await.expect(201),
        "log_in" => app.anonymous().post("/v1/auth/login", login).await.expect(200),
        "request_password_reset" => request_reset(app, owner, "ada@example.com").await.expect(202),
        "reset_password" => {
            let (token, user) = (key(), app.add_user(owner, "member").await.get("/v1/users/me").await);
            app.database.query(&reset_of(&user["id"], &token)).await;
            let body = json!({ "tenant": owner.tenant(), "token": token, "new_password": "another horse" });
            tap.take();
            app.anonymous().post("/v1/auth/password-reset/confirm", body).await.expect(204)
        }
        "change_password" => {
            let user = app.add_user(owner, "member").await;
            user.get("/v1/users/me").await.expect(200);
            let body = json!({ "current_password": "correct horse battery staple", "new_password": "another horse" });
            tap.take();
            user.send(Method::PUT, "/v1/users/me/password", Some(body)).await.expect(204)
        }
        "show_me" => owner.get("/v1/users/me").await.expect(200),
        "list_users" => owner.get("/v1/users").await.expect(200),
        "add_user" => owner.post("/v1/users", new_user()).await.expect(201),
        "show_user" => owner.get(&added("/v1/users", new_user()).await).await.expect(200),
        "change_user" => {
            let path = added("/v1/users", new_user()).await;
            owner.patch(&path, "\"1\"", json!({ "role": "admin" })).await.expect(200)
        }
        "deactivate_user" => owner.delete(&added("/v1/users", new_user()).await, "\"1\"").await.expect(204),
        "list_products" => owner.get("/v1/products").await.expect(200),
        "add_product" => owner.post("/v1/products", new_product()).await.expect(201),
        "show_product" => owner.get(&product_path).await.expect(200),
        "change_product" => {
            let path = added("/v1/products", new_product()).await;
            owner.patch(&path, "\"1\"", json!({ "name": "Cup" })).await.expect(200)
        }
        "archive_product" => {
            owner.delete(&added("/v1/products", new_product()).await, "\"1\"").await.expect(204)
        }
        "move_product_stock" => {
            owner.post_once(&format!("{product_path}/stock"), &key(), json!({ "delta": 5 })).await.expect(200)
        }
        "place_order" => owner.order(product, 1).await.expect(201),
        "list_orders" => owner.get("/v1/orders?limit=100").await.expect(200),
        "show_order" => owner.get(&order_path(ordered(201).await, "")).await.expect(200),
        "cancel_order" => {
            app.gateway_behaves(json!({ "error_rate": 1.0 })).await;
            let path = order_path(ordered(202).await, "/cancel");
            app.gateway_behaves(json!({})).await;
            owner.post_once(&path, &key(), json!({})).await.expect(200)
        }
        "list_payments" => owner.get(&order_path(ordered(201).await, "/payments")).await.expect(200),
        "refund_payment" => {
            let payment = owner.payment(&ordered(201).await).await;
            tap.take();
            let path = format!("/v1/payments/{}/refund", payment["id"].as_str().unwrap());
            owner.post_once(&path, &key(), json!({})).await.expect(200)
        }
        "report_revenue" => owner.get("/v1/reports/revenue?from=2026-01-01&to=2026-12-31").await.expect(200),
        other => panic!("no request for {other}"),
    };
}

async fn request_reset(app: &TestApp, owner: &Client, email: &str) -> Response {
    let body = json!({ "tenant": owner.tenant(), "email": email });
    app.anonymous().post("/v1/auth/password-reset/request", body).await
}

/// Gives a token to a user, as the worker would.
fn reset_of(user: &Value, token: &str) -> String {
    let hash = ResetToken::presented(token.into()).hash();
    format!(
        "INSERT INTO password_resets (tenant_id, user_id, token_hash, session_generation, expires_at)
         SELECT tenant_id, id, '{hash}', session_generation, '2100-01-01'
         FROM users WHERE id = '{}'",
        user.as_str().unwrap()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_sends_exactly_its_statements() {
    let (app, tap) = tapped().await;
    let owner = app.new_tenant().await;
    let scene = Scene { product: owner.add_product(1000).await, owner };
    for (operation, statements) in expected() {
        // The first call prepares statements and looks up the caller.
        perform(operation, &app, &scene, &tap).await;
        tap.take();
        perform(operation, &app, &scene, &tap).await;
        assert_eq!(tap.take(), statements, "{operation}");
    }
}

#[test]
fn every_endpoint_is_listed() {
    let described: Value = serde_json::to_value(docs::openapi()).unwrap();
    let operations =
        described["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let described: BTreeSet<_> =
        operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(expected().into_iter().map(|(operation, _)| operation).collect::<BTreeSet<_>>(), described);
}

/// So its duration does not show whose the address is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_reset_a_password_sends_the_same_statements_for_every_address() {
    let (app, tap) = tapped().await;
    let owner = app.new_tenant().await;
    let user = |email: &str| json!({ "email": email, "password": "correct horse battery", "role": "member" });
    owner.post("/v1/users", user("member@example.com")).await.expect(201);
    let former = owner.post("/v1/users", user("former@example.com")).await.expect(201);
    owner.delete(&format!("/v1/users/{}", former["id"].as_str().unwrap()), "\"1\"").await.expect(204);
    request_reset(&app, &owner, "first@example.com").await.expect(202);
    tap.take();
    for email in ["member@example.com", "former@example.com", "unknown@example.com", "no address", "a@b"] {
        request_reset(&app, &owner, email).await.expect(202);
        assert_eq!(tap.take(), transaction(&["INSERT outbox_messages"]), "{email}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_is_not_cached_costs_one_statement() {
    let (app, tap) = tapped().await;
    let owner = app.new_tenant().await;
    owner.get("/v1/users/me").await.expect(200);
    let again = app.log_in(owner.tenant(), &format!("owner@{}.example", owner.tenant())).await;
    let member = app.add_user(&owner, "member").await;
    member.get("/v1/products").await.expect(200);
    let another = app.add_user(&owner, "member").await;
    again.get("/v1/products").await.expect(200);
    tap.take();
    another.get("/v1/products").await.expect(200);
    assert_eq!(tap.take(), ["SELECT users, tenants", "SELECT products"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_statements_does_not_grow_with_the_rows() {
    let (app, tap) = tapped().await;
    let owner = app.new_tenant().await;
    let mut products = Vec::new();
    for _ in 0..20 {
        products.push(owner.add_product(1000).await);
    }
    let mut count = Vec::new();
    for lines in [1, 20, 20] {
        let items: Vec<_> =
            products[..lines].iter().map(|id| json!({ "product_id": id, "quantity": 1 })).collect();
        owner.post_once("/v1/orders", &key(), json!({ "items": items })).await.expect(201);
        tap.take();
        owner.post_once("/v1/orders", &key(), json!({ "items": items })).await.expect(201);
        owner.get("/v1/orders?limit=100").await.expect(200);
        count.push(tap.take().into_iter().filter(|statement| statement != "prepare").count());
    }
    assert_eq!(count, [count[0]; 3]);
}
