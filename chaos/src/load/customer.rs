//! A customer: acts at random, and retries with the same idempotency key until an answer is final.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Counters, Journal, Shop};

/// A customer of one shop.
#[derive(Debug)]
pub(super) struct Customer {
    shop: Shop,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    random: StdRng,
    /// Acknowledged orders that are not known to be cancelled or refunded, newest last.
    orders: Vec<Value>,
}

/// A request that is sent again until its answer is final.
struct Action {
    path: String,
    body: Value,
    key: String,
}

/// The longest time without a final answer. It is longer than any fault.
const ACTION_TIMEOUT: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The share of actions that are repeated after their final answer, as by an impatient customer.
const REPEATED: f64 = 0.1;
/// The time between two actions.
const THINK_TIME_MS: std::ops::Range<u64> = 20..120;
const REMEMBERED: usize = 20;

impl Customer {
    pub(super) fn new(shop: Shop, journal: Arc<Journal>, counters: Arc<Counters>, random: StdRng) -> Self {
        Self { shop, journal, counters, random, orders: Vec::new() }
    }

    pub(super) async fn live(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.act().await;
            let pause = Duration::from_millis(self.random.random_range(THINK_TIME_MS));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn act(&mut self) {
        match self.random.random_range(0..10) {
            0 => self.move_stock().await,
            1..3 if !self.orders.is_empty() => self.take_back().await,
            _ => self.place_order().await,
        }
    }

    async fn place_order(&mut self) {
        let count = self.random.random_range(1..=2);
        let first = self.random.random_range(0..self.shop.products.len());
        let items: Vec<_> = (first..first + count)
            .map(|n| {
                let quantity = self.random.random_range(1..4);
                json!({ "product_id": self.shop.products[n % self.shop.products.len()], "quantity": quantity })
            })
            .collect();
        let action = self.action("/v1/orders".to_owned(), json!({ "items": items }));
        let Some(order) = self.send(&action).await else { return };
        self.journal.new_order(&self.shop.slug, &order);
        self.orders.push(order);
        if self.orders.len() > REMEMBERED {
            self.orders.remove(0);
        }
    }

    /// Cancels an order, or refunds its payment.
    async fn take_back(&mut self) {
        let order = self.orders.swap_remove(self.random.random_range(0..self.orders.len()));
        let Some(id) = order["id"].as_str() else { return };
        if self.random.random() {
            let action = self.action(format!("/v1/orders/{id}/cancel"), json!({}));
            if let Some(cancelled) = self.send(&action).await {
                self.journal.changed_order(&self.shop.slug, &cancelled);
            }
            return;
        }
        // Reading is no action: without an answer, there is nothing to refund.
        let api = self.some_api().clone();
        let Ok(payments) = api.get(&format!("/v1/orders/{id}/payments")).await else { return };
        let Some(payment) = payments[0]["id"].as_str() else { return };
        let action = self.action(format!("/v1/payments/{payment}/refund"), json!({}));
        if let Some(refunded) = self.send(&action).await {
            self.journal.payment(&self.shop.slug, &refunded);
        }
    }

    async fn move_stock(&mut self) {
        let product = self.shop.products[self.random.random_range(0..self.shop.products.len())].clone();
        let delta = self.random.random_range(1..20) * if self.random.random() { 1 } else { -1 };
        let action = self.action(format!("/v1/products/{product}/stock"), json!({ "delta": delta }));
        if self.send(&action).await.is_some() {
            self.journal.stock_movement(&self.shop.slug, &action.key, &product, delta);
        }
    }

    fn action(&mut self, path: String, body: Value) -> Action {
        Action { path, body, key: uuid::Uuid::from_u128(self.random.random()).to_string() }
    }

    fn some_api(&mut self) -> &crate::system::Api {
        let index = self.random.random_range(0..self.shop.apis.len());
        &self.shop.apis[index]
    }

    /// Sends an action until its answer is final. Returns the body of a success.
    async fn send(&mut self, action: &Action) -> Option<Value> {
        let body = self.send_until_final(action).await?;
        self.counters.acknowledged.fetch_add(1, Ordering::Relaxed);
        if self.random.random_bool(REPEATED)
            && let Some(again) = self.send_until_final(action).await
        {
            self.journal.compare(&action.key, &body, &again);
        }
        Some(body)
    }

    async fn send_until_final(&mut self, action: &Action) -> Option<Value> {
        let deadline = Instant::now() + ACTION_TIMEOUT;
        let mut pause = FIRST_PAUSE;
        while Instant::now() < deadline {
            let api = self.some_api().clone();
            self.counters.requests.fetch_add(1, Ordering::Relaxed);
            match api.post_once(&action.path, &action.key, &action.body).await {
                Ok((status, body)) if status.is_success() => return Some(body),
                Ok((status, _)) if is_final(status) => return None,
                Ok((status, _)) if status.is_client_error() => {}
                Ok((status, body)) => {
                    if status == StatusCode::INTERNAL_SERVER_ERROR {
                        self.journal.internal_error(&action.path, &body);
                    }
                    self.counters.count_failure(format!("POST {}: {status} {body}", action.path));
                }
                Err(error) => self.counters.count_failure(format!("POST {}: {error:?}", action.path)),
            }
            tokio::time::sleep(pause.mul_f64(self.random.random_range(0.5..1.0))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.journal.stuck(&action.key, &action.path);
        None
    }
}

/// Whether a retry gets the same answer.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
