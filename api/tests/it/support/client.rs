//! An HTTP client of the API, of the management interface and of the gateway simulator.

use std::ops::Index;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::app::PASSWORD;
use super::operations::assert_documented;

/// An HTTP client of one server, optionally with an access token.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    tenant: String,
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A new idempotency key.
pub(crate) fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// A slug that no other tenant has.
pub(crate) fn new_slug() -> String {
    format!("t-{}", &uuid::Uuid::now_v7().simple().to_string()[12..])
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, base: String) -> Self {
        Self { http, base, token: None, tenant: String::new() }
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn in_tenant(mut self, slug: &str) -> Self {
        self.tenant = slug.to_owned();
        self
    }

    /// The same client with a connection pool of its own.
    pub(crate) fn with_own_connections(&self) -> Self {
        Self { http: reqwest::Client::new(), ..self.clone() }
    }

    /// The address of the server.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The slug of the tenant that this client is logged in to.
    pub(crate) fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The token that this client sends.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    /// A request with the access token.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request of an operation, such as `PATCH /v1/users/{id}`, with the headers that operations require.
    pub(crate) fn operation(&self, operation: &str, id: &str) -> reqwest::RequestBuilder {
        let (method, path) = operation.split_once(' ').unwrap();
        let request = self.request(method.parse().unwrap(), &path.replace("{id}", id));
        request.header("If-Match", "\"1\"").header("Idempotency-Key", key())
    }

    /// Sends a request of an operation with a raw body.
    pub(crate) async fn send_raw(
        &self,
        operation: &str,
        id: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let request = self.operation(operation, id).header("Content-Type", "application/json");
        Response::of(request.body(body)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self.request(method, path);
        Response::of(body.into_iter().fold(request, |request, body| request.json(&body))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.send(Method::POST, path, Some(body)).await
    }

    /// A POST with an idempotency key.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: Value) -> Response {
        Response::of(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    /// A PATCH of a version.
    pub(crate) async fn patch(&self, path: &str, etag: &str, body: Value) -> Response {
        Response::of(self.request(Method::PATCH, path).header("If-Match", etag).json(&body)).await
    }

    /// A DELETE of a version.
    pub(crate) async fn delete(&self, path: &str, etag: &str) -> Response {
        Response::of(self.request(Method::DELETE, path).header("If-Match", etag)).await
    }

    /// Signs a tenant up, and logs its owner in. Its plan is `free`.
    pub(crate) async fn sign_up(&self, slug: &str) -> Self {
        let email = format!("owner@{slug}.example");
        let owner = json!({ "email": email, "password": PASSWORD });
        let tenant = json!({ "slug": slug, "name": slug, "owner": owner });
        self.post("/v1/tenants", tenant).await.expect(201);
        self.log_in(slug, &email, PASSWORD).await
    }

    /// Logs a user in.
    pub(crate) async fn log_in(&self, tenant: &str, email: &str, password: &str) -> Self {
        let login = json!({ "tenant": tenant, "email": email, "password": password });
        let response = self.post("/v1/auth/login", login).await.expect(200);
        self.clone().with_token(response["access_token"].as_str().unwrap()).in_tenant(tenant)
    }

    /// Adds a product with this stock, at 12.50 USD. Returns its id.
    pub(crate) async fn add_product(&self, stock: i64) -> String {
        let sku = format!("SKU-{}", uuid::Uuid::now_v7().simple());
        let product =
            json!({ "sku": sku, "name": "Mug", "price_minor": 1250, "currency": "USD", "stock": stock });
        let added = self.post("/v1/products", product).await.expect(201);
        added["id"].as_str().unwrap().to_owned()
    }

    /// Orders a quantity of a product, with a new idempotency key.
    pub(crate) async fn order(&self, product: &str, quantity: i64) -> Response {
        self.order_with_key(product, quantity, &key()).await
    }

    /// Orders one of a product in a task of its own.
    pub(crate) fn spawn_order(&self, product: &str) -> JoinHandle<Response> {
        let (client, product) = (self.clone(), product.to_owned());
        tokio::spawn(async move { client.order(&product, 1).await })
    }

    /// Orders a quantity of a product.
    pub(crate) async fn order_with_key(&self, product: &str, quantity: i64, key: &str) -> Response {
        let items = json!({ "items": [{ "product_id": product, "quantity": quantity }] });
        self.post_once("/v1/orders", key, items).await
    }

    /// The stock of a product.
    pub(crate) async fn stock(&self, product: &str) -> i64 {
        self.get(&format!("/v1/products/{product}")).await.expect(200)["stock"].as_i64().unwrap()
    }

    /// The one payment of an order.
    pub(crate) async fn payment(&self, order: &Value) -> Value {
        let path = format!("/v1/orders/{}/payments", order.as_str().unwrap());
        self.get(&path).await.expect(200)[0].clone()
    }

    /// The status of an order.
    pub(crate) async fn order_status(&self, order: &Value) -> String {
        let path = format!("/v1/orders/{}", order.as_str().unwrap());
        self.get(&path).await.expect(200)["status"].as_str().unwrap().to_owned()
    }
}

impl Response {
    /// Sends a request and reads the response, whose status must be documented. A body that is not JSON becomes a JSON
    /// string.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await.unwrap();
        assert_documented(&method, &path, response.status());
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, headers, body }
    }

    /// Asserts the status. Returns the body.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Asserts that this is a complete problem document with this status and code. Returns the body.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["request_id"].as_str(), Some(self.header("x-request-id")));
        assert_eq!(self.body["status"], status);
        for field in ["type", "title", "detail"] {
            assert!(!self.body[field].as_str().unwrap().is_empty(), "{field}: {}", self.body);
        }
        self.body
    }

    /// A header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(HeaderValue::to_str).transpose().unwrap().unwrap_or_default()
    }
}

impl Index<&str> for Response {
    type Output = Value;

    fn index(&self, field: &str) -> &Value {
        &self.body[field]
    }
}
