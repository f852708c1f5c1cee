//! What the clients send: of four requests one places an order, and three read.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Client;
use serde_json::{Value, json};

use crate::demo::Demo;

/// The number of products that were added.
static PRODUCTS: AtomicUsize = AtomicUsize::new(0);

/// The requests of a user.
pub(crate) struct Requests {
    token: String,
    product: String,
    next: Cell<usize>,
}

impl Requests {
    /// Adds a product to a tenant that is never sold out, and returns the requests of the tenant's owner.
    pub(crate) async fn prepare(demo: &Demo, tenant: &str) -> Self {
        let owner = demo.log_in(tenant, &format!("owner@{tenant}.example"), "demo-password").await;
        let sku = format!("OVERLOAD-{}", PRODUCTS.fetch_add(1, Ordering::Relaxed));
        let product =
            json!({ "sku": sku, "name": "Mug", "price_minor": 100, "currency": "USD", "stock": 1_000_000 });
        let added = Client::new().post(demo.url("/v1/products")).bearer_auth(&owner).json(&product);
        let added: Value = added.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        let product = added["id"].as_str().unwrap().to_owned();
        Self { token: owner, product, next: Cell::new(0) }
    }

    /// The bytes of the next request.
    pub(crate) fn next(&self) -> Vec<u8> {
        let n = self.next.get();
        self.next.set(n + 1);
        let product = &self.product;
        match n % 4 {
            0 => {
                let order = json!({ "items": [{ "product_id": product, "quantity": 1 }] }).to_string();
                self.bytes("POST /v1/orders", n, &order)
            }
            1 => self.bytes("GET /v1/products?limit=20", n, ""),
            2 => self.bytes(&format!("GET /v1/products/{product}"), n, ""),
            _ => self.bytes("GET /v1/orders?limit=10", n, ""),
        }
    }

    fn bytes(&self, line: &str, n: usize, body: &str) -> Vec<u8> {
        let Self { token, product, .. } = self;
        let length = body.len();
        format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {product}-{n}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
