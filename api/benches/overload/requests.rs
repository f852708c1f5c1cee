//! What the clients send: of four requests one places an order, and three read.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};

use crate::clients::{Load, Requests, request};
use crate::demo::Demo;

/// A response that takes longer is not a success.
const USEFUL: Duration = Duration::from_secs(1);

/// The number of products that were added.
static PRODUCTS: AtomicUsize = AtomicUsize::new(0);

/// The load of a tenant's owner.
pub(crate) async fn load(demo: &Demo, tenant: &str) -> Load {
    Load::new(demo.address, requests(demo, tenant).await, USEFUL)
}

/// Adds a product to a tenant that is never sold out, and returns the requests of the tenant's owner.
async fn requests(demo: &Demo, tenant: &str) -> Requests {
    let token = demo.log_in(tenant, &format!("owner@{tenant}.example"), "demo-password").await;
    let sku = format!("OVERLOAD-{}", PRODUCTS.fetch_add(1, Ordering::Relaxed));
    let product =
        json!({ "sku": sku, "name": "Mug", "price_minor": 100, "currency": "USD", "stock": 1_000_000 });
    let added = Client::new().post(demo.url("/v1/products")).bearer_auth(&token).json(&product);
    let added: Value = added.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
    let product = added["id"].as_str().unwrap().to_owned();
    let order = json!({ "items": [{ "product_id": product, "quantity": 1 }] }).to_string();
    Rc::new(move |number| {
        let (line, body) = match number % 4 {
            0 => ("POST /v1/orders".to_owned(), order.as_str()),
            1 => ("GET /v1/products?limit=20".to_owned(), ""),
            2 => (format!("GET /v1/products/{product}"), ""),
            _ => ("GET /v1/orders?limit=10".to_owned(), ""),
        };
        // The product is that of this load alone, so no other one has the same key.
        request(&line, Some(&token), &format!("{product}-{number}"), body)
    })
}
