//! Each check finds the damage that it is for: the books are damaged on purpose, in one place at a time.

use std::collections::BTreeSet;

use glasshouse_infra::db::audit::checks;
use serde_json::{Value, json};

use super::books::{Books, Shop};
use crate::support::{Backend, concurrently, on_both};

on_both!(every_damage_is_found);

/// A damage of the books, and the checks that contradict it.
struct Damage {
    what: &'static str,
    how: How,
    found_by: &'static [&'static str],
}

/// How the books are damaged.
enum How {
    /// By SQL, without foreign keys.
    Sql(&'static str),
    /// By SQL on Postgres, which alone has what it damages.
    Postgres(&'static str),
    /// In the ledger of the gateway.
    Ledger(fn(&mut Vec<Value>)),
    /// In what was acknowledged to clients.
    Acknowledged(fn(&mut Vec<Value>)),
}
use How::{Acknowledged, Ledger, Postgres, Sql};

/// The one whose id is the smallest of the orders in a state.
macro_rules! order {
    ($state:literal) => {
        concat!("(SELECT id FROM orders WHERE state = '", $state, "' ORDER BY id LIMIT 1)")
    };
}

const NOTHING: &str = "018f0000-0000-7000-8000-000000000000";

const DAMAGES: &[Damage] = &[
    Damage {
        what: "a payment is lost",
        how: Sql(concat!("DELETE FROM payments WHERE order_id = ", order!("payment_failed"))),
        found_by: &["one_payment_per_order", "charges_have_payments"],
    },
    Damage {
        what: "an order has a second payment",
        how: Postgres(concat!(
            "ALTER TABLE payments DROP CONSTRAINT payments_order_unique; INSERT INTO payments \
             SELECT tenant_id, gen_random_uuid(), order_id, amount_minor, currency, state, decline_reason, \
                    refund_requested_at, reconcile_at, traceparent, created_at \
             FROM payments WHERE order_id = ",
            order!("paid")
        )),
        found_by: &["one_payment_per_order", "revenue_is_reported", "succeeded_is_charged"],
    },
    Damage {
        what: "an order is lost",
        how: Sql(concat!("DELETE FROM orders WHERE id = ", order!("paid"))),
        found_by: &[
            "payments_have_orders",
            "items_have_orders_and_products",
            "stock_adds_up",
            "messages_have_orders",
            "keys_have_effects",
            "acknowledged_orders_exist",
        ],
    },
    Damage {
        what: "a product is lost",
        how: Sql("DELETE FROM products WHERE currency = 'EUR'"),
        found_by: &["items_have_orders_and_products"],
    },
    Damage {
        what: "an item has another price",
        how: Sql(concat!(
            "UPDATE order_items SET unit_price_minor = unit_price_minor + 1 WHERE order_id = ",
            order!("paid")
        )),
        found_by: &["totals_are_sums", "acknowledged_orders_exist"],
    },
    Damage {
        what: "an order has no items",
        how: Sql(concat!("DELETE FROM order_items WHERE order_id = ", order!("payment_failed"))),
        found_by: &["totals_are_sums", "acknowledged_orders_exist"],
    },
    Damage {
        what: "a payment has another amount",
        how: Sql(concat!(
            "UPDATE payments SET amount_minor = amount_minor + 1 WHERE order_id = ",
            order!("paid")
        )),
        found_by: &["amounts_are_totals", "charged_amounts", "revenue_is_reported"],
    },
    Damage {
        what: "a payment has another currency",
        how: Sql(concat!("UPDATE payments SET currency = 'CHF' WHERE order_id = ", order!("paid"))),
        found_by: &["amounts_are_totals", "charged_amounts", "revenue_is_reported"],
    },
    Damage {
        what: "an order forgets that it was paid",
        how: Sql(concat!("UPDATE orders SET state = 'pending' WHERE id = ", order!("paid"))),
        found_by: &["states_agree", "responses_are_true", "revenue_is_reported", "acknowledged_orders_exist"],
    },
    Damage {
        what: "stock disappears",
        how: Sql("UPDATE products SET stock = stock - 1 WHERE currency = 'EUR'"),
        found_by: &["stock_adds_up"],
    },
    Damage {
        what: "the stock of a declined order is not released",
        how: Sql("UPDATE products SET stock = stock - 4 WHERE currency = 'USD'"),
        found_by: &["stock_adds_up"],
    },
    Damage {
        what: "a payment is pending for years",
        how: Sql(concat!(
            "UPDATE payments SET state = 'pending', created_at = '2020-01-01T00:00:00Z' WHERE order_id = ",
            order!("cancelled")
        )),
        found_by: &["open_payments_are_young"],
    },
    Damage {
        what: "a refund is requested for years",
        how: Sql(concat!(
            "UPDATE payments SET refund_requested_at = '2020-01-01T00:00:00Z' WHERE order_id = ",
            order!("paid")
        )),
        found_by: &["open_payments_are_young"],
    },
    Damage {
        what: "a message is undelivered for years",
        how: Sql("UPDATE outbox_messages SET delivered_at = NULL, created_at = '2020-01-01T00:00:00Z' \
                  WHERE id = (SELECT id FROM outbox_messages ORDER BY id LIMIT 1)"),
        found_by: &["messages_are_young"],
    },
    Damage {
        what: "a message is a dead letter",
        how: Sql("UPDATE outbox_messages SET delivered_at = NULL, dead_lettered_at = created_at, \
                                             dead_letter_reason = 'rejected' \
                  WHERE id = (SELECT id FROM outbox_messages ORDER BY id LIMIT 1)"),
        found_by: &["no_dead_letters"],
    },
    Damage {
        what: "a message about a payment is lost",
        how: Sql("DELETE FROM outbox_messages WHERE id = \
                  (SELECT id FROM outbox_messages WHERE kind = 'order_paid' ORDER BY id LIMIT 1)"),
        found_by: &["every_event_has_a_message"],
    },
    Damage {
        what: "all messages are about one payment",
        how: Sql("UPDATE outbox_messages SET event = \
                  (SELECT event FROM outbox_messages WHERE kind = 'order_paid' ORDER BY id LIMIT 1) \
                  WHERE kind = 'order_paid'"),
        // The message about the other tenant is about no order there.
        found_by: &["every_event_has_a_message", "messages_have_orders", "one_message_per_event"],
    },
    Damage {
        what: "a message about a refund is lost",
        how: Sql("DELETE FROM outbox_messages WHERE kind = 'order_refunded'"),
        found_by: &["every_event_has_a_message"],
    },
    Damage {
        what: "a key has no effect",
        // No order, payment or product has the id of a user.
        how: Sql("UPDATE idempotent_requests SET subject_id = user_id \
                  WHERE subject_id IN (SELECT id FROM products)"),
        found_by: &["keys_have_effects", "acknowledged_movements_exist"],
    },
    Damage {
        what: "a stock movement is lost",
        how: Sql("DELETE FROM idempotent_requests WHERE subject_id IN (SELECT id FROM products)"),
        found_by: &["acknowledged_movements_exist"],
    },
    Damage {
        what: "a cancellation is lost",
        how: Sql(concat!("UPDATE orders SET state = 'payment_failed' WHERE id = ", order!("cancelled"))),
        found_by: &["responses_are_true", "acknowledged_orders_exist"],
    },
    Damage {
        what: "a refund was never requested",
        how: Sql("UPDATE payments SET refund_requested_at = NULL WHERE state = 'refunded'"),
        found_by: &["responses_are_true", "acknowledged_payments_exist"],
    },
    Damage {
        what: "an order with another total was acknowledged",
        how: Acknowledged(|lines| change(lines, "order", "paid", |order| order["total_minor"] = json!(1))),
        found_by: &["acknowledged_orders_exist"],
    },
    Damage {
        what: "an order that does not exist was acknowledged",
        how: Acknowledged(|lines| change(lines, "order", "paid", |order| order["id"] = json!(NOTHING))),
        found_by: &["acknowledged_orders_exist"],
    },
    Damage {
        what: "an order of a tenant that does not exist was acknowledged",
        how: Acknowledged(|lines| {
            let order = lines.iter_mut().find(|line| !line["order"].is_null()).unwrap();
            order["tenant"] = json!("nobody");
        }),
        found_by: &["acknowledged_orders_exist"],
    },
    Damage {
        what: "a payment with another amount was acknowledged",
        how: Acknowledged(|lines| {
            change(lines, "payment", "refunded", |payment| payment["amount_minor"] = json!(1))
        }),
        found_by: &["acknowledged_payments_exist"],
    },
    Damage {
        what: "the gateway charged a payment that does not exist",
        how: Ledger(|lines| {
            let mut charge = lines[0].clone();
            charge["key"] = json!(NOTHING);
            lines.insert(0, charge);
        }),
        found_by: &["charges_have_payments"],
    },
    Damage {
        what: "the gateway charged twice",
        how: Ledger(|lines| lines.insert(0, lines[0].clone())),
        found_by: &["charged_once"],
    },
    Damage {
        what: "the gateway charged another amount",
        how: Ledger(|lines| at_gateway(lines, "succeeded", |charge| charge["amount_minor"] = json!(1))),
        found_by: &["charged_amounts"],
    },
    Damage {
        what: "the gateway declined a payment that succeeded",
        how: Ledger(|lines| at_gateway(lines, "succeeded", |charge| charge["status"] = json!("declined"))),
        found_by: &["succeeded_is_charged"],
    },
    Damage {
        what: "the gateway has no charge of a payment that succeeded",
        how: Ledger(|lines| lines.retain(|charge| charge["status"] != "succeeded")),
        found_by: &["succeeded_is_charged"],
    },
    Damage {
        what: "the gateway refunded a payment that succeeded",
        how: Ledger(|lines| at_gateway(lines, "succeeded", |charge| charge["status"] = json!("refunded"))),
        found_by: &["refunded_is_refunded"],
    },
    Damage {
        what: "the gateway did not refund",
        how: Ledger(|lines| at_gateway(lines, "refunded", |charge| charge["status"] = json!("succeeded"))),
        found_by: &["refunded_is_refunded"],
    },
    Damage {
        what: "a table has no row-level security",
        how: Postgres("ALTER TABLE users DISABLE ROW LEVEL SECURITY"),
        found_by: &["row_level_security_is_forced"],
    },
    Damage {
        what: "row-level security does not bind the owner",
        how: Postgres("ALTER TABLE orders NO FORCE ROW LEVEL SECURITY"),
        found_by: &["row_level_security_is_forced"],
    },
    Damage {
        what: "a view shows the rows of all tenants",
        how: Postgres("CREATE VIEW everything AS SELECT * FROM users"),
        found_by: &["row_level_security_is_forced", "policies_isolate_tenants"],
    },
    Damage {
        what: "a policy shows all rows",
        how: Postgres("ALTER POLICY own_tenant ON users USING (true)"),
        found_by: &["policies_isolate_tenants"],
    },
    Damage {
        what: "another policy shows all rows to the service",
        how: Postgres("CREATE POLICY wide ON users FOR SELECT TO glasshouse_service USING (true)"),
        found_by: &["policies_isolate_tenants"],
    },
    Damage {
        what: "a policy is missing",
        how: Postgres("DROP POLICY own_tenant ON users"),
        found_by: &["policies_isolate_tenants"],
    },
    Damage {
        what: "the service owns a table",
        how: Postgres("ALTER TABLE users OWNER TO glasshouse_test_service"),
        found_by: &["service_roles_are_bound"],
    },
];

/// Changes the first line with a response of this kind and status.
fn change(lines: &mut [Value], what: &str, status: &str, change: fn(&mut Value)) {
    let line = lines.iter_mut().find(|line| line[what]["status"] == status).unwrap();
    change(&mut line[what]);
}

/// Changes the first charge with this status.
fn at_gateway(lines: &mut [Value], status: &str, change: fn(&mut Value)) {
    change(lines.iter_mut().find(|charge| charge["status"] == status).unwrap());
}

impl Damage {
    async fn on(&self, books: &Books) {
        match self.how {
            Sql(sql) | Postgres(sql) => books.database.execute_without_foreign_keys(sql).await,
            Ledger(change) => books.edit("ledger.jsonl", change),
            Acknowledged(change) => books.edit("acknowledged.jsonl", change),
        }
    }

    /// Damages a copy of the books. Returns what the audit found instead of this damage alone.
    async fn problem(&self, books: &Books) -> Option<String> {
        let books = books.copy().await;
        self.on(&books).await;
        let audited = books.audit().await;
        let expected: BTreeSet<_> = self.found_by.iter().map(|name| (*name).to_owned()).collect();
        let found = if audited.report.is_null() { BTreeSet::new() } else { audited.checks("findings") };
        if audited.code == Some(1) && found == expected {
            return None;
        }
        let (what, code, stderr) = (self.what, audited.code, audited.stderr);
        Some(format!("{what}: code {code:?}, found by {found:?} instead of {expected:?} {stderr}"))
    }
}

async fn every_damage_is_found(backend: Backend) {
    let books = Shop::open(backend).await.close().await;
    books.audit().await.assert_clean();
    let damages =
        DAMAGES.iter().filter(|damage| books.database.is_postgres() || !matches!(damage.how, Postgres(_)));
    let damages: Vec<_> = damages.collect();
    let mut problems = Vec::new();
    // A few at a time: each is a process and a database of its own.
    for some in damages.chunks(4) {
        let found = concurrently(some.iter().map(|damage| damage.problem(&books))).await;
        problems.extend(found.into_iter().flatten());
    }
    assert_eq!(problems, Vec::<String>::new());
}

/// A check that cannot fail proves nothing.
#[test]
fn every_check_has_a_damage() {
    let damaged: BTreeSet<_> = DAMAGES.iter().flat_map(|damage| damage.found_by).copied().collect();
    let checks: BTreeSet<_> = checks().iter().map(|check| check.name).collect();
    assert_eq!(damaged, checks);
}
