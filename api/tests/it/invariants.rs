//! Invariants under random load and a faulty gateway: stock and money add up in the end.

use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Backend, Client, Response, TestApp, concurrently, eventually, key, on_both};

on_both!(stock_and_money_add_up_after_random_load);

/// Set this to repeat the client actions of a failed run. The faults of the gateway stay random.
const SEED: Option<u64> = None;
const ACTORS: u64 = 6;
const ACTIONS: usize = 14;
const INITIAL_STOCK: i64 = 40;
const SETTINGS: &[(&str, &str)] = &[
    ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "250"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "2"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_BACKOFF_MS", "5"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES", "6"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_PAUSE_MS", "200"),
    ("GLASSHOUSE_RECONCILE_AFTER_SECONDS", "1"),
    ("GLASSHOUSE_RECONCILE_LEASE_SECONDS", "1"),
];

/// The state that all clients share.
struct Day {
    products: Vec<String>,
    orders: Mutex<Vec<Value>>,
    /// The sum of the stock movements of each product.
    moved: Mutex<Vec<i64>>,
}

#[expect(clippy::print_stdout, reason = "the seed repeats a run that failed")]
async fn stock_and_money_add_up_after_random_load(backend: Backend) {
    let seed = SEED.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let app = TestApp::start_with(backend, SETTINGS).await;
    let owner = app.new_tenant().await;
    let products = concurrently((0..3).map(|_| owner.add_product(INITIAL_STOCK))).await;
    let day = Day { products, orders: Mutex::default(), moved: Mutex::new(vec![0; 3]) };
    let behavior = json!({ "error_rate": 0.2, "timeout_rate": 0.15, "decline_rate": 0.2, "latency_ms": 3 });
    app.gateway_behaves(behavior).await;

    concurrently((0..ACTORS).map(|actor| day.live(&owner, StdRng::seed_from_u64(seed.wrapping_add(actor)))))
        .await;
    app.gateway_recovers().await;
    let open = "SELECT count(*) AS n FROM payments \
                WHERE state = 'pending' OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)";
    eventually("every payment is settled", async || (app.database.number(open).await == 0).then_some(()))
        .await;

    day.assert_that_stock_adds_up(&app, &owner).await;
    assert_that_money_adds_up(&app).await;
    let undelivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NULL";
    eventually("all messages are delivered", async || {
        (app.database.number(undelivered).await == 0).then_some(())
    })
    .await;
}

impl Day {
    async fn live(&self, owner: &Client, mut random: StdRng) {
        for _ in 0..ACTIONS {
            let response = self.act(owner, &mut random).await;
            assert!(!response.status.is_server_error(), "{response:?}");
        }
    }

    async fn act(&self, owner: &Client, random: &mut StdRng) -> Response {
        let product = random.random_range(0..self.products.len());
        let some_order = {
            let orders = self.orders.lock().unwrap();
            (!orders.is_empty()).then(|| orders[random.random_range(0..orders.len())].clone())
        };
        match (random.random_range(0..10), some_order) {
            (0..2, _) => {
                let delta = random.random_range(1..10) * if random.random() { 1 } else { -1 };
                let response = owner.move_stock(&self.products[product], delta, &key()).await;
                if response.status.is_success() {
                    self.moved.lock().unwrap()[product] += delta;
                }
                response
            }
            (2..4, Some(order)) => owner.cancel(&order, &key()).await,
            (4..6, Some(order)) => owner.refund(&owner.payment(&order).await["id"], &key()).await,
            _ => {
                let other = (product + 1) % self.products.len();
                let lines = [product, other].map(|n| (self.products[n].as_str(), random.random_range(1..6)));
                let response = owner.order_all(&lines[..random.random_range(1..=2)]).await;
                if response.status.is_success() {
                    self.orders.lock().unwrap().push(response["id"].clone());
                }
                response
            }
        }
    }

    async fn assert_that_stock_adds_up(&self, app: &TestApp, owner: &Client) {
        let moved = self.moved.lock().unwrap().clone();
        let sql = "SELECT product_id, sum(quantity) AS n FROM order_items \
                   JOIN orders ON orders.id = order_id WHERE state IN ('paid', 'refunded') GROUP BY 1";
        let rows = app.database.query(sql).await;
        for (product, moved) in self.products.iter().zip(moved) {
            let of = |row: &&sea_orm::QueryResult| {
                row.try_get::<Uuid>("", "product_id").unwrap().to_string() == *product
            };
            let sold: i64 = rows.iter().find(of).map_or(0, |row| row.try_get("", "n").unwrap());
            assert_eq!(INITIAL_STOCK + moved - owner.stock(product).await, sold, "product {product}");
        }
    }
}

/// The state of every order matches its payment at the gateway, and its notification was delivered.
async fn assert_that_money_adds_up(app: &TestApp) {
    let sql = "SELECT payments.id, amount_minor, payments.state AS payment, orders.state AS placed \
               FROM payments JOIN orders ON orders.id = order_id";
    let rows = app.database.query(sql).await;
    let (mut paid, mut refunded) = (0, 0);
    for row in &rows {
        let id: Uuid = row.try_get("", "id").unwrap();
        let text = |column: &str| row.try_get::<String>("", column).unwrap();
        let (payment, order) = (text("payment"), text("placed"));
        let charge = app.charge_at_gateway(&json!(id)).await.expect(200);
        assert_eq!(charge["status"], *payment, "payment {id}");
        match (order.as_str(), payment.as_str()) {
            ("paid", "succeeded") => paid += 1,
            ("refunded", "refunded") => (paid, refunded) = (paid + 1, refunded + 1),
            ("cancelled", "refunded") => refunded += 1,
            ("payment_failed" | "cancelled", "declined") => continue,
            other => panic!("payment {id}: {other:?}"),
        }
        assert_eq!(charge["amount_minor"], row.try_get::<i64>("", "amount_minor").unwrap());
    }
    assert_eq!(app.charges_at_gateway().await, i64::try_from(rows.len()).unwrap());
    assert_eq!((app.messages("order_paid").await, app.messages("order_refunded").await), (paid, refunded));
}
