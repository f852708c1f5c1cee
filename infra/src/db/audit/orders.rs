//! Orders, their items and their payments agree.

use super::check::{Check, SqlCheck};
use super::rows::Table;

pub(super) const CHECKS: [SqlCheck; 6] = [
    SqlCheck {
        check: Check {
            name: "one_payment_per_order",
            proves: "Every order has exactly one payment, so it is paid for at most once.",
        },
        examines: Table::Orders,
        contradictions: "\
            SELECT orders.id AS subject, 'the order has ' || count(payments.id) || ' payments' AS detail \
            FROM orders LEFT JOIN payments \
              ON payments.tenant_id = orders.tenant_id AND payments.order_id = orders.id \
            WHERE orders.tenant_id = $1 GROUP BY orders.id HAVING count(payments.id) <> 1",
    },
    SqlCheck {
        check: Check { name: "payments_have_orders", proves: "There is no payment without an order." },
        examines: Table::Payments,
        contradictions: "\
            SELECT payments.id AS subject, 'the ' || payments.state || ' payment has no order' AS detail \
            FROM payments LEFT JOIN orders \
              ON orders.tenant_id = payments.tenant_id AND orders.id = payments.order_id \
            WHERE payments.tenant_id = $1 AND orders.id IS NULL",
    },
    SqlCheck {
        check: Check {
            name: "items_have_orders_and_products",
            proves: "There is no item without an order, and none without a product.",
        },
        examines: Table::OrderItems,
        contradictions: "\
            SELECT order_items.order_id AS subject, \
                   'an item has no ' || CASE WHEN orders.id IS NULL THEN 'order' ELSE 'product' END AS detail \
            FROM order_items \
            LEFT JOIN orders \
              ON orders.tenant_id = order_items.tenant_id AND orders.id = order_items.order_id \
            LEFT JOIN products \
              ON products.tenant_id = order_items.tenant_id AND products.id = order_items.product_id \
            WHERE order_items.tenant_id = $1 AND (orders.id IS NULL OR products.id IS NULL)",
    },
    SqlCheck {
        check: Check {
            name: "totals_are_sums",
            proves: "Every order has items, and its total is their sum.",
        },
        examines: Table::Orders,
        contradictions: "\
            SELECT orders.id AS subject, \
                   'the total is ' || orders.total_minor || ', the sum of the items ' \
                   || coalesce(CAST(sums.total AS text), 'that of none') AS detail \
            FROM orders LEFT JOIN ( \
                SELECT order_id, sum(CAST(unit_price_minor AS numeric) * quantity) AS total \
                FROM order_items WHERE tenant_id = $1 GROUP BY order_id) AS sums ON sums.order_id = orders.id \
            WHERE orders.tenant_id = $1 AND (sums.total IS NULL OR sums.total <> orders.total_minor)",
    },
    SqlCheck {
        check: Check {
            name: "amounts_are_totals",
            proves: "The amount of every payment is the total of its order, in the same currency.",
        },
        examines: Table::Payments,
        contradictions: "\
            SELECT payments.id AS subject, \
                   'the amount is ' || payments.amount_minor || ' ' || payments.currency \
                   || ', the total of the order ' || orders.total_minor || ' ' || orders.currency AS detail \
            FROM orders JOIN payments \
              ON payments.tenant_id = orders.tenant_id AND payments.order_id = orders.id \
            WHERE orders.tenant_id = $1 \
              AND (payments.amount_minor <> orders.total_minor OR payments.currency <> orders.currency)",
    },
    SqlCheck {
        check: Check {
            name: "states_agree",
            proves: "The state of every order is that of its payment; the payment of a cancelled order is open, \
                     declined or refunded.",
        },
        examines: Table::Orders,
        contradictions: "\
            SELECT orders.id AS subject, \
                   'the order is ' || orders.state || ', its payment ' || payments.state AS detail \
            FROM orders JOIN payments \
              ON payments.tenant_id = orders.tenant_id AND payments.order_id = orders.id \
            WHERE orders.tenant_id = $1 AND NOT CASE orders.state \
                WHEN 'pending' THEN payments.state = 'pending' \
                WHEN 'paid' THEN payments.state = 'succeeded' \
                WHEN 'payment_failed' THEN payments.state = 'declined' \
                WHEN 'refunded' THEN payments.state = 'refunded' \
                WHEN 'cancelled' THEN payments.state <> 'succeeded' OR payments.refund_requested_at IS NOT NULL \
                ELSE 1 = 0 END",
    },
];
