//! Traffic of the demo: a gentle, realistic load, so that there is something to see from the first second.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use glasshouse_domain::user::Role;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::{CallError, Client, User};
use super::data::TENANTS;

/// The mean number of requests per second.
const RATE: f64 = 12.0;

/// The rate at which an operation is repeated for a profile, in requests per second.
const REPEAT_RATE: f64 = 25.0;

/// Requests in flight; when there are as many, the next one waits.
const CONCURRENCY: usize = 16;

/// The orders and products of each tenant that later requests refer to.
const REMEMBERED: usize = 20;

/// An operation of the demo's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Operation {
    /// List products.
    #[serde(rename = "GET /v1/products")]
    ListProducts,
    /// Show a product.
    #[serde(rename = "GET /v1/products/{id}")]
    ShowProduct,
    /// List orders.
    #[serde(rename = "GET /v1/orders")]
    ListOrders,
    /// Show an order.
    #[serde(rename = "GET /v1/orders/{id}")]
    ShowOrder,
    /// Place an order.
    #[serde(rename = "POST /v1/orders")]
    PlaceOrder,
    /// Cancel an order that is paid, which is a conflict.
    #[serde(rename = "POST /v1/orders/{id}/cancel")]
    CancelOrder,
    /// Show the caller.
    #[serde(rename = "GET /v1/users/me")]
    ShowMe,
    /// List users.
    #[serde(rename = "GET /v1/users")]
    ListUsers,
    /// Report the revenue.
    #[serde(rename = "GET /v1/reports/revenue")]
    ReportRevenue,
    /// Show an order of another tenant, which does not exist for the caller.
    #[serde(skip)]
    ShowForeignOrder,
    /// Log in.
    #[serde(rename = "POST /v1/auth/login")]
    LogIn,
    /// Mistype the password.
    #[serde(skip)]
    MistypePassword,
}

/// The operations with their weights. Password hashes are expensive, and failed logins are limited.
const MIX: [(Operation, u32); 12] = [
    (Operation::ListProducts, 260),
    (Operation::ShowProduct, 180),
    (Operation::ListOrders, 150),
    (Operation::ShowOrder, 120),
    (Operation::PlaceOrder, 110),
    (Operation::ShowMe, 80),
    (Operation::ReportRevenue, 40),
    (Operation::ListUsers, 25),
    (Operation::CancelOrder, 12),
    (Operation::ShowForeignOrder, 12),
    (Operation::LogIn, 8),
    (Operation::MistypePassword, 1),
];

/// The traffic, and whether it is switched on.
#[derive(Debug)]
pub(super) struct Traffic {
    on: AtomicBool,
    /// The operation to repeat, and until when.
    repeated: Mutex<Option<(Operation, Instant)>>,
    /// For each tenant.
    seen: Mutex<[Seen; TENANTS.len()]>,
}

/// What was seen of a tenant.
#[derive(Debug, Default)]
struct Seen {
    products: VecDeque<String>,
    orders: VecDeque<String>,
}

impl Traffic {
    pub(super) fn new(on: bool) -> Self {
        Self { on: on.into(), repeated: Mutex::default(), seen: Mutex::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    pub(super) fn repeat(&self, operation: Operation, seconds: u8) {
        let until = Instant::now() + Duration::from_secs(seconds.into());
        *self.repeated.lock().unwrap_or_else(PoisonError::into_inner) = Some((operation, until));
    }

    pub(super) async fn run(&self, client: &Client, stop: &CancellationToken) {
        let mut in_flight = FuturesUnordered::new();
        loop {
            let repeated = self.repeated();
            let rate = if repeated.is_some() { REPEAT_RATE } else { RATE };
            // Independent users: the times between their requests are distributed exponentially.
            let pause = -(1.0 - rand::random::<f64>()).ln() / rate;
            let pause = tokio::time::sleep(Duration::from_secs_f64(pause));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    // A failure is an event of the API, which shows it itself.
                    Some(_) = in_flight.next() => {}
                    () = &mut pause => break,
                }
            }
            if in_flight.len() < CONCURRENCY && (self.is_on() || repeated.is_some()) {
                let operation = repeated.filter(|_| rand::random_bool(0.8)).unwrap_or_else(any_operation);
                in_flight.push(self.send(client, operation));
            }
        }
    }

    fn repeated(&self) -> Option<Operation> {
        let repeated = *self.repeated.lock().unwrap_or_else(PoisonError::into_inner);
        repeated.filter(|(_, until)| Instant::now() < *until).map(|(operation, _)| operation)
    }

    async fn send(&self, client: &Client, operation: Operation) -> Result<(), CallError> {
        let tenant = any_tenant();
        let user = User { tenant: TENANTS[tenant].slug, role: any_role(operation) };
        let order_of =
            |tenant| self.any(tenant, |seen: &Seen| &seen.orders).map(|id| format!("/v1/orders/{id}"));
        let path = match operation {
            Operation::ListProducts => Some("/v1/products".to_owned()),
            Operation::ShowProduct => {
                self.any(tenant, |seen| &seen.products).map(|id| format!("/v1/products/{id}"))
            }
            Operation::ListOrders | Operation::PlaceOrder => Some("/v1/orders".to_owned()),
            Operation::ShowOrder => order_of(tenant),
            Operation::CancelOrder => order_of(tenant).map(|order| format!("{order}/cancel")),
            Operation::ShowForeignOrder => order_of((tenant + 1) % TENANTS.len()),
            Operation::ShowMe => Some("/v1/users/me".to_owned()),
            Operation::ListUsers => Some("/v1/users".to_owned()),
            Operation::ReportRevenue => Some(revenue_of_a_week()),
            Operation::LogIn => return client.log_in(user, super::data::PASSWORD).await.map(drop),
            Operation::MistypePassword => return client.log_in(user, "mistyped").await.map(drop),
        };
        // Until something was seen, there is nothing to refer to.
        let path = path.unwrap_or_else(|| "/v1/products".to_owned());
        let (method, body) = match operation {
            Operation::PlaceOrder => match self.basket(tenant) {
                Some(basket) => (Method::POST, Some(basket)),
                None => (Method::GET, None),
            },
            Operation::CancelOrder if path.ends_with("/cancel") => (Method::POST, None),
            _ => (Method::GET, None),
        };
        let response = client.send(user, method, &path, body).await?;
        self.remember(tenant, operation, &response.body);
        Ok(())
    }

    /// One or two products.
    fn basket(&self, tenant: usize) -> Option<Value> {
        let product = self.any(tenant, |seen| &seen.products)?;
        let quantity = rand::random_range(1..=3);
        Some(json!({ "items": [{ "product_id": product, "quantity": quantity }] }))
    }

    fn any(&self, tenant: usize, of: impl Fn(&Seen) -> &VecDeque<String>) -> Option<String> {
        let seen = self.seen();
        let ids = of(&seen[tenant]);
        (!ids.is_empty()).then(|| ids[rand::random_range(0..ids.len())].clone())
    }

    fn remember(&self, tenant: usize, operation: Operation, body: &Value) {
        let ids = |list: &Value| -> Vec<String> {
            let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.get("id")?.as_str().map(str::to_owned)).collect()
        };
        let mut seen = self.seen();
        let Seen { products, orders } = &mut seen[tenant];
        let (known, new) = match operation {
            Operation::ListProducts => (products, ids(body)),
            Operation::ListOrders => (orders, ids(body)),
            _ => return,
        };
        for id in new {
            if !known.contains(&id) {
                known.push_front(id);
            }
        }
        known.truncate(REMEMBERED);
    }

    fn seen(&self) -> MutexGuard<'_, [Seen; TENANTS.len()]> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn any_operation() -> Operation {
    let total = MIX.iter().map(|(_, weight)| weight).sum();
    let mut drawn = rand::random_range(0..total);
    for (operation, weight) in MIX {
        match u32::checked_sub(drawn, weight) {
            Some(rest) => drawn = rest,
            None => return operation,
        }
    }
    Operation::ListProducts
}

/// The first tenant has more customers than the others.
fn any_tenant() -> usize {
    let drawn = rand::random_range(0..TENANTS.len() + 2);
    drawn.saturating_sub(2)
}

/// A role that may do this.
fn any_role(operation: Operation) -> Role {
    match operation {
        Operation::ListUsers | Operation::ReportRevenue => Role::Admin,
        _ if rand::random_bool(0.7) => Role::Member,
        _ => Role::Owner,
    }
}

fn revenue_of_a_week() -> String {
    let today = time::OffsetDateTime::now_utc().date();
    let week_ago = today.saturating_sub(time::Duration::days(6));
    format!("/v1/reports/revenue?from={week_ago}&to={today}")
}
