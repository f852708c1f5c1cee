//! A tenant with one object of each kind, for tests that send requests to every operation.

use serde_json::{Value, json};

use super::app::{Backend, PASSWORD, TestApp};
use super::client::{Client, Response};

/// A tenant with a user and a product, as objects of the operations.
pub(crate) struct Playground {
    pub(crate) app: TestApp,
    pub(crate) owner: Client,
    pub(crate) product: String,
    user: String,
}

impl Playground {
    pub(crate) async fn new(backend: Backend) -> Self {
        Self::of(TestApp::start(backend).await).await
    }

    pub(crate) async fn of(app: TestApp) -> Self {
        let owner = app.new_tenant().await;
        let user = app.add_user(&owner, "member").await.get("/v1/users/me").await;
        let user = user["id"].as_str().unwrap().to_owned();
        let product = owner.add_product(1_000_000).await;
        Self { app, owner, product, user }
    }

    pub(crate) fn bodies(&self) -> Vec<(&'static str, Value)> {
        valid_bodies(&self.product)
    }

    pub(crate) async fn send(&self, operation: &str, body: impl Into<reqwest::Body>) -> Response {
        let id = if operation.contains("/users/") { &self.user } else { &self.product };
        self.owner.send_raw(operation, id, body).await
    }
}

/// A valid body for every operation that has one.
pub(crate) fn valid_bodies(product: &str) -> Vec<(&'static str, Value)> {
    let slug = format!("t-{}", uuid::Uuid::now_v7().simple());
    let owner = json!({ "email": "ada@example.com", "password": PASSWORD });
    vec![
        (
            "POST /v1/tenants",
            json!({ "slug": slug, "name": "T", "plan": "free", "source": "ads", "owner": owner }),
        ),
        ("POST /v1/auth/login", json!({ "tenant": slug, "email": "ada@example.com", "password": PASSWORD })),
        ("POST /v1/auth/password-reset/request", json!({ "tenant": slug, "email": "ada@example.com" })),
        (
            "POST /v1/auth/password-reset/confirm",
            json!({ "tenant": slug, "token": "0".repeat(64), "new_password": PASSWORD }),
        ),
        ("PUT /v1/users/me/password", json!({ "current_password": "wrong horse", "new_password": PASSWORD })),
        ("POST /v1/users", json!({ "email": "grace@example.com", "password": PASSWORD, "role": "member" })),
        ("PATCH /v1/users/{id}", json!({ "role": "admin", "active": true })),
        (
            "POST /v1/products",
            json!({ "sku": "CUP", "name": "Cup", "price_minor": 1, "currency": "USD", "stock": 1 }),
        ),
        ("PATCH /v1/products/{id}", json!({ "name": "Cup", "price_minor": 1, "currency": "USD" })),
        ("POST /v1/products/{id}/stock", json!({ "delta": 1 })),
        ("POST /v1/orders", json!({ "items": [{ "product_id": product, "quantity": 1 }] })),
    ]
}

/// The names of the invalid fields of a problem document.
pub(crate) fn named(rejected: &Value) -> Vec<&str> {
    rejected["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect()
}
