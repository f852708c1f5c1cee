//! Stock adds up: an order moves units between the stock and itself, and only movements by hand change the sum.

use super::check::{Check, SqlCheck};
use super::rows::Table;

pub(super) const CHECKS: [SqlCheck; 1] = [SqlCheck {
    check: Check {
        name: "stock_adds_up",
        proves: "The stock of every product and the units of its live orders are its initial stock and all stock \
                 movements.",
    },
    examines: Table::Products,
    contradictions: "\
        SELECT products.id AS subject, \
               'the stock is ' || products.stock || ' and live orders have ' || coalesce(live.units, 0) \
               || ' units, but ' || products.received || ' were received' AS detail \
        FROM products LEFT JOIN ( \
            SELECT order_items.product_id, sum(order_items.quantity) AS units \
            FROM orders JOIN order_items \
              ON order_items.tenant_id = orders.tenant_id AND order_items.order_id = orders.id \
            WHERE orders.tenant_id = $1 AND orders.state IN ('pending', 'paid', 'refunded') \
            GROUP BY order_items.product_id) AS live ON live.product_id = products.id \
        WHERE products.tenant_id = $1 AND products.received <> products.stock + coalesce(live.units, 0)",
}];
