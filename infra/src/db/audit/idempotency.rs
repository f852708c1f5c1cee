//! Idempotency keys have their effect, and the responses that clients got are still true.

use super::check::{Check, SqlCheck};
use super::rows::Table;

pub(super) const CHECKS: [SqlCheck; 2] = [
    SqlCheck {
        check: Check {
            name: "keys_have_effects",
            proves: "There is no idempotency key without the order, payment or product that its request was about.",
        },
        examines: Table::IdempotencyKeys,
        contradictions: "\
            SELECT request.subject_id AS subject, \
                   'an idempotency key is taken, but there is no such order, payment or product' AS detail \
            FROM ( \
                SELECT subject_id FROM idempotent_requests WHERE tenant_id = $1 \
                UNION ALL \
                SELECT subject_id FROM idempotency_keys WHERE tenant_id = $1 AND subject_id IS NOT NULL) AS request \
            LEFT JOIN orders ON orders.tenant_id = $1 AND orders.id = request.subject_id \
            LEFT JOIN payments ON payments.tenant_id = $1 AND payments.id = request.subject_id \
            LEFT JOIN products ON products.tenant_id = $1 AND products.id = request.subject_id \
            WHERE orders.id IS NULL AND payments.id IS NULL AND products.id IS NULL",
    },
    SqlCheck {
        check: Check {
            name: "responses_are_true",
            proves: "Every order and payment is in the state that the stored response reports, or in a later one.",
        },
        examines: Table::StoredResponses,
        contradictions: "\
            SELECT orders.id AS subject, \
                   'the response was ' || response.status || ', the order is ' || orders.state AS detail \
            FROM ( \
                SELECT subject_id, {body} ->> 'status' AS status \
                FROM idempotent_requests WHERE tenant_id = $1 AND body IS NOT NULL) AS response \
            JOIN orders ON orders.tenant_id = $1 AND orders.id = response.subject_id \
            WHERE response.status NOT IN ('pending', orders.state) \
              AND NOT (response.status = 'paid' AND orders.state = 'refunded') \
            UNION ALL \
            SELECT payments.id AS subject, \
                   'the response was ' || response.status || ', the payment is ' || payments.state \
                   || CASE WHEN payments.refund_requested_at IS NULL THEN ' without a requested refund' ELSE '' END \
                   AS detail \
            FROM ( \
                SELECT subject_id, {body} ->> 'status' AS status \
                FROM idempotent_requests WHERE tenant_id = $1 AND body IS NOT NULL) AS response \
            JOIN payments ON payments.tenant_id = $1 AND payments.id = response.subject_id \
            WHERE payments.refund_requested_at IS NULL \
               OR (response.status = 'refunded' AND payments.state <> 'refunded')",
    },
];
