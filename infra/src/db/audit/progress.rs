//! Nothing is stuck: what is unfinished is young. A payment may be at the gateway, and a message on its way, while the
//! audit looks.

use super::check::{Check, SqlCheck};
use super::rows::Table;

pub(super) const CHECKS: [SqlCheck; 6] = [
    SqlCheck {
        check: Check {
            name: "open_payments_are_young",
            proves: "No payment is pending, and no requested refund incomplete, for longer than the grace period.",
        },
        examines: Table::Payments,
        contradictions: "\
            SELECT payments.id AS subject, \
                   CASE payments.state WHEN 'pending' THEN 'the payment is pending since ' || payments.created_at \
                   ELSE 'the refund is incomplete since ' || payments.refund_requested_at END AS detail \
            FROM payments, audit \
            WHERE payments.tenant_id = $1 \
              AND ((payments.state = 'pending' AND payments.created_at < audit.in_flight_since) \
                   OR (payments.state = 'succeeded' AND payments.refund_requested_at < audit.in_flight_since))",
    },
    SqlCheck {
        check: Check {
            name: "messages_are_young",
            proves: "No outbox message waits for its delivery for longer than the grace period.",
        },
        examines: Table::OutboxMessages,
        contradictions: "\
            SELECT id AS subject, \
                   'the message ' || kind || ' is undelivered since ' || created_at \
                   || ', after ' || attempts || ' attempts' AS detail \
            FROM outbox_messages, audit \
            WHERE tenant_id = $1 AND delivered_at IS NULL AND dead_lettered_at IS NULL \
              AND created_at < audit.in_flight_since",
    },
    SqlCheck {
        check: Check { name: "no_dead_letters", proves: "The delivery of no outbox message was given up." },
        examines: Table::OutboxMessages,
        contradictions: "\
            SELECT id AS subject, \
                   'the message ' || kind || ' is a dead letter: ' || coalesce(dead_letter_reason, 'no reason') AS detail \
            FROM outbox_messages WHERE tenant_id = $1 AND dead_lettered_at IS NOT NULL",
    },
    SqlCheck {
        check: Check {
            name: "every_event_has_a_message",
            proves: "Every payment and refund of the orders whose messages are retained has an outbox message, so its \
                     event is delivered at least once.",
        },
        examines: Table::RetainedOrders,
        contradictions: "\
            SELECT expected.id AS subject, 'the order has no message ' || expected.kind AS detail \
            FROM ( \
                SELECT orders.id, {order_id} AS order_id, 'order_paid' AS kind \
                FROM orders, audit \
                WHERE orders.tenant_id = $1 AND orders.state IN ('paid', 'refunded') \
                  AND orders.created_at >= audit.retained_since \
                UNION ALL \
                SELECT orders.id, {order_id} AS order_id, 'order_refunded' AS kind \
                FROM audit, orders JOIN payments \
                  ON payments.tenant_id = orders.tenant_id AND payments.order_id = orders.id \
                WHERE orders.tenant_id = $1 AND payments.state = 'refunded' \
                  AND orders.created_at >= audit.retained_since) AS expected \
            LEFT JOIN ( \
                SELECT replace(event ->> 'order', '-', '') AS order_id, kind \
                FROM outbox_messages WHERE tenant_id = $1) AS message \
              ON message.order_id = expected.order_id AND message.kind = expected.kind \
            WHERE message.order_id IS NULL",
    },
    SqlCheck {
        check: Check {
            name: "one_message_per_event",
            proves: "No payment and no refund of an order has two outbox messages, so it happened once.",
        },
        examines: Table::OutboxMessages,
        contradictions: "\
            SELECT orders.id AS subject, \
                   'the order has ' || message.messages || ' messages ' || message.kind AS detail \
            FROM ( \
                SELECT replace(event ->> 'order', '-', '') AS order_id, kind, count(*) AS messages \
                FROM outbox_messages WHERE tenant_id = $1 AND kind LIKE 'order_%' \
                GROUP BY replace(event ->> 'order', '-', ''), kind HAVING count(*) > 1) AS message \
            JOIN orders ON orders.tenant_id = $1 AND {order_id} = message.order_id",
    },
    SqlCheck {
        check: Check {
            name: "messages_have_orders",
            proves: "There is no outbox message about an order that does not exist.",
        },
        examines: Table::OutboxMessages,
        contradictions: "\
            SELECT message.id AS subject, 'the order of the message ' || message.kind || ' does not exist' AS detail \
            FROM ( \
                SELECT id, replace(event ->> 'order', '-', '') AS order_id, kind \
                FROM outbox_messages WHERE tenant_id = $1 AND kind LIKE 'order_%') AS message \
            LEFT JOIN (SELECT {order_id} AS order_id FROM orders WHERE tenant_id = $1) AS existing \
              ON existing.order_id = message.order_id \
            WHERE existing.order_id IS NULL",
    },
];
