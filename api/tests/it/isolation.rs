//! Tenant isolation: no request of a tenant reads or changes data of another tenant.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Backend, Client, PASSWORD, Response, TestApp, assert_complete, key, on_both};

on_both!(
    objects_of_another_tenant_are_not_found,
    lists_show_nothing_of_another_tenant,
    ordering_a_product_of_another_tenant_is_like_ordering_an_unknown_one,
    unique_names_and_keys_are_scoped_to_a_tenant,
    credentials_are_valid_in_their_own_tenant_only,
);

/// Every operation on a single object, with a valid body.
fn on_one_object() -> Vec<(&'static str, Value)> {
    vec![
        ("GET /v1/users/{id}", Value::Null),
        ("PATCH /v1/users/{id}", json!({ "active": false })),
        ("DELETE /v1/users/{id}", Value::Null),
        ("GET /v1/products/{id}", Value::Null),
        ("PATCH /v1/products/{id}", json!({ "name": "Stolen" })),
        ("DELETE /v1/products/{id}", Value::Null),
        ("POST /v1/products/{id}/stock", json!({ "delta": -1 })),
        ("GET /v1/orders/{id}", Value::Null),
        ("POST /v1/orders/{id}/cancel", Value::Null),
        ("GET /v1/orders/{id}/payments", Value::Null),
        ("POST /v1/payments/{id}/refund", Value::Null),
    ]
}

/// Lists of the tenant's objects.
const LISTS: [&str; 4] = [
    "GET /v1/users",
    "GET /v1/products",
    "GET /v1/orders",
    "GET /v1/reports/revenue?from=2026-01-01&to=2026-12-31",
];

/// Operations without an object id in the path, and the test below that covers each.
const OTHERS: [(&str, &str); 9] = [
    ("POST /v1/tenants", "creates a tenant; slugs are shared by all tenants, so a taken one is a conflict"),
    ("POST /v1/auth/login", "credentials_are_valid_in_their_own_tenant_only"),
    ("POST /v1/auth/password-reset/request", "password_resets.rs: a_token_is_valid_in_its_own_tenant_only"),
    ("POST /v1/auth/password-reset/confirm", "password_resets.rs: a_token_is_valid_in_its_own_tenant_only"),
    ("PUT /v1/users/me/password", "new_passwords.rs: a_change_ends_all_sessions"),
    ("GET /v1/users/me", "credentials_are_valid_in_their_own_tenant_only"),
    ("POST /v1/users", "unique_names_and_keys_are_scoped_to_a_tenant"),
    ("POST /v1/products", "unique_names_and_keys_are_scoped_to_a_tenant"),
    ("POST /v1/orders", "ordering_a_product_of_another_tenant_is_like_ordering_an_unknown_one"),
];

#[test]
fn every_operation_is_tried() {
    let one_object = on_one_object();
    let lists = LISTS.iter().map(|list| list.split('?').next().unwrap());
    let names = one_object.iter().map(|(name, _)| *name).chain(lists).chain(OTHERS.map(|(name, _)| name));
    assert_complete(names, |_, _| true);
}

/// A tenant with one object of each kind.
struct Settled {
    owner: Client,
    member: Value,
    product: String,
    order: Value,
    payment: Value,
}

impl Settled {
    async fn new(app: &TestApp) -> Self {
        let owner = app.new_tenant().await;
        let user = json!({ "email": "grace@example.com", "password": PASSWORD, "role": "member" });
        let member = owner.post("/v1/users", user).await.expect(201);
        let product = owner.add_product(10).await;
        let order = owner.order(&product, 3).await.expect(201);
        let payment = owner.payment(&order["id"]).await;
        Self { owner, member, product, order, payment }
    }

    /// The id of the object of an operation.
    fn id_for(&self, operation: &str) -> &str {
        match operation.split('/').nth(2).unwrap() {
            "users" => self.member["id"].as_str().unwrap(),
            "products" => &self.product,
            "orders" => self.order["id"].as_str().unwrap(),
            "payments" => self.payment["id"].as_str().unwrap(),
            other => panic!("no object for {other}"),
        }
    }

    /// Everything that its owner can read.
    async fn everything(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        let one_object = on_one_object();
        let reads =
            one_object.iter().map(|(name, _)| *name).filter(|name| name.starts_with("GET")).chain(LISTS);
        for read in reads {
            let id = if read.contains("{id}") { self.id_for(read) } else { "" };
            let response = Response::of(self.owner.operation(read, id)).await;
            seen.push(json!([read, response.header("etag"), response.expect(200)]));
        }
        seen
    }
}

async fn send(client: &Client, operation: &str, id: &str, body: &Value) -> Response {
    let request = client.operation(operation, id);
    Response::of(if body.is_null() { request } else { request.json(body) }).await
}

async fn objects_of_another_tenant_are_not_found(backend: Backend) {
    let app = TestApp::start(backend).await;
    let (theirs, stranger) = (Settled::new(&app).await, app.new_tenant().await);
    let before = theirs.everything().await;
    for (operation, body) in on_one_object() {
        let theirs = send(&stranger, operation, theirs.id_for(operation), &body).await;
        let unknown = send(&stranger, operation, &Uuid::now_v7().to_string(), &body).await;
        let theirs = theirs.expect_problem(404, "not_found");
        assert_eq!(theirs["detail"], unknown.expect_problem(404, "not_found")["detail"], "{operation}");
    }
    assert_eq!(theirs.everything().await, before);
}

async fn lists_show_nothing_of_another_tenant(backend: Backend) {
    let app = TestApp::start(backend).await;
    let (theirs, stranger) = (Settled::new(&app).await, app.new_tenant().await);
    let me = stranger.get("/v1/users/me").await.expect(200);
    let [users, products, orders, revenue] = LISTS;
    assert_eq!(Response::of(stranger.operation(users, "")).await["items"], json!([me]));
    for list in [products, orders] {
        assert_eq!(Response::of(stranger.operation(list, "")).await["items"], json!([]), "{list}");
        assert_eq!(
            Response::of(theirs.owner.operation(list, "")).await["items"].as_array().unwrap().len(),
            1
        );
    }
    let today = theirs.order["created_at"].as_str().unwrap()[..10].to_owned();
    let revenue = format!("{}?from={today}&to={today}", revenue.split('?').next().unwrap());
    assert_eq!(Response::of(stranger.operation(&revenue, "")).await.expect(200), json!([]));
    assert_eq!(Response::of(theirs.owner.operation(&revenue, "")).await.expect(200)[0]["gross_minor"], 3750);
}

async fn ordering_a_product_of_another_tenant_is_like_ordering_an_unknown_one(backend: Backend) {
    let app = TestApp::start(backend).await;
    let (theirs, stranger) = (Settled::new(&app).await, app.new_tenant().await);
    let own = stranger.add_product(5).await;
    let mut details = Vec::new();
    for product in [theirs.product.clone(), Uuid::now_v7().to_string()] {
        let items = [&own, &product].map(|id| json!({ "product_id": id, "quantity": 1 }));
        let rejected = stranger.post_once("/v1/orders", &key(), json!({ "items": items })).await;
        let rejected = rejected.expect_problem(422, "invalid_fields");
        details.push(rejected["errors"].to_string().replace(&product, "ID"));
    }
    assert_eq!(details[0], details[1]);
    assert_eq!((theirs.owner.stock(&theirs.product).await, stranger.stock(&own).await), (7, 5));
}

async fn unique_names_and_keys_are_scoped_to_a_tenant(backend: Backend) {
    let app = TestApp::start(backend).await;
    let (one, other) = (app.new_tenant().await, app.new_tenant().await);
    let user = json!({ "email": "grace@example.com", "password": PASSWORD, "role": "member" });
    let product = json!({ "sku": "MUG", "name": "Mug", "price_minor": 1, "currency": "USD", "stock": 9 });
    let (key, mut orders) = (key(), Vec::new());
    for tenant in [&one, &other] {
        tenant.post("/v1/users", user.clone()).await.expect(201);
        let product = tenant.post("/v1/products", product.clone()).await.expect(201);
        let order = tenant.order_with_key(product["id"].as_str().unwrap(), 1, &key).await;
        assert_eq!(order.header("idempotency-replayed"), "");
        orders.push(order.expect(201)["id"].clone());
    }
    assert_ne!(orders[0], orders[1]);
}

async fn credentials_are_valid_in_their_own_tenant_only(backend: Backend) {
    let app = TestApp::start(backend).await;
    let (one, other) = (app.new_tenant().await, app.new_tenant().await);
    let email = |tenant: &Client| format!("owner@{}.example", tenant.tenant());
    let login = json!({ "tenant": other.tenant(), "email": email(&one), "password": PASSWORD });
    app.anonymous().post("/v1/auth/login", login).await.expect_problem(401, "wrong_credentials");
    for tenant in [&one, &other] {
        let me = tenant.get("/v1/users/me").await.expect(200);
        assert_eq!(me["email"], email(tenant));
    }
}
