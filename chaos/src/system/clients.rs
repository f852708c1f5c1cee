//! HTTP clients of the API and of the gateway's ledger.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The owner of a tenant, as a client of one API.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// The ledger of the payment gateway.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    base: String,
}

/// How long a customer waits for a response. It is longer than a pause at a fail point: the API abandons the request of a
/// customer who is gone, and would do nothing with what it knew before the pause.
const TIMEOUT: Duration = Duration::from_secs(4);
const PASSWORD: &str = "the password of a customer";

impl Api {
    /// Signs a tenant up, and logs its owner in.
    ///
    /// # Errors
    /// The API rejects the tenant.
    pub(crate) async fn sign_up(address: SocketAddr, slug: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let base = format!("http://{address}");
        let email = format!("owner@{slug}.example");
        let owner = json!({ "email": email, "password": PASSWORD });
        let tenant = json!({ "slug": slug, "name": slug, "owner": owner });
        read(http.post(format!("{base}/v1/tenants")).json(&tenant)).await?;
        let login = json!({ "tenant": slug, "email": email, "password": PASSWORD });
        let session = read(http.post(format!("{base}/v1/auth/login")).json(&login)).await?;
        let token = session["access_token"].as_str().context("no token")?.to_owned();
        Ok(Self { http, base, token })
    }

    /// The same user as a client of another API.
    #[must_use]
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), ..self.clone() }
    }

    /// Adds a product at 12.50 USD. Returns its id.
    pub(crate) async fn add_product(&self, sku: &str, stock: u32) -> Result<String> {
        let product =
            json!({ "sku": sku, "name": sku, "price_minor": 1250, "currency": "USD", "stock": stock });
        let request = self.http.post(format!("{}/v1/products", self.base)).bearer_auth(&self.token);
        let added = read(request.json(&product)).await?;
        Ok(added["id"].as_str().context("no id")?.to_owned())
    }

    /// Sends a request with an idempotency key. Returns the status and the body.
    ///
    /// # Errors
    /// There is no complete response.
    pub(crate) async fn post_once(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let response = request.header("Idempotency-Key", key).json(body).send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Places an order of one piece.
    ///
    /// # Errors
    /// There is no complete response.
    pub(crate) async fn order(&self, product: &str, key: &str) -> reqwest::Result<(StatusCode, Value)> {
        let items = json!({ "items": [{ "product_id": product, "quantity": 1 }] });
        self.post_once("/v1/orders", key, &items).await
    }

    /// Reads an object.
    ///
    /// # Errors
    /// There is no complete response with status 200.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Result<Value> {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        request.send().await?.error_for_status()?.json().await
    }
}

/// The body of a successful response.
async fn read(request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await?;
    let (url, status, text) = (response.url().clone(), response.status(), response.text().await?);
    ensure!(status.is_success(), "{url}: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}

impl Ledger {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { base: format!("http://{address}") }
    }

    /// Where the ledger is read.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }
}
