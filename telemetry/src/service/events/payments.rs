//! Payments, refunds and reconciliation.

use std::error::Error;
use std::fmt::Display;

use crate::metrics::IntCounterVec;
use crate::service::metrics::{BusinessMetrics, Sale};

crate::events! {
    "payments"

    /// A charge succeeded, and its payment is settled. `revenue_total_usd` counts sales in USD, if the order is paid.
    pub struct PaymentSucceeded<'a>: INFO "payment_succeeded" { payment_id: &'a dyn Display }
    unlogged { order_status: Option<&'a str>, sales: &'a [Sale<'a>] }
    moves BusinessMetrics {
        payments: |_, payments| payments.with(["succeeded"]).inc();
        orders: |event, orders| enter(orders, event.order_status);
        revenue: |event, revenue| revenue.add(event.sales);
    }

    /// A charge was declined or voided, and its payment is settled.
    pub struct PaymentDeclined<'a>: WARN "payment_declined" { payment_id: &'a dyn Display, reason: &'a str }
    unlogged { order_status: Option<&'a str> }
    moves BusinessMetrics {
        payments: |_, payments| payments.with(["declined"]).inc();
        orders: |event, orders| enter(orders, event.order_status);
    }

    /// A payment was refunded.
    pub struct PaymentRefunded<'a>: INFO "payment_refunded" { payment_id: &'a dyn Display }
    unlogged { order_status: Option<&'a str> }
    moves BusinessMetrics {
        payments: |_, payments| payments.with(["refunded"]).inc();
        orders: |event, orders| enter(orders, event.order_status);
    }

    /// The gateway gave no final answer to a charge; the reconciler settles the payment.
    pub struct PaymentLeftPending<'a>: WARN "payment_left_pending" {
        order_id: &'a dyn Display,
        payment_id: &'a dyn Display,
        error: &'a (dyn Error + 'static),
    }

    /// The gateway did not confirm a refund; the reconciler carries it out.
    pub struct RefundLeftPending<'a>: WARN "refund_left_pending" {
        payment_id: &'a dyn Display,
        error: &'a (dyn Error + 'static),
    }

    /// The reconciler took the open step of a payment.
    pub struct PaymentReconciled<'a>: INFO "payment_reconciled" {
        tenant_id: &'a dyn Display,
        payment_id: &'a dyn Display,
        step: &'a str,
    }

    /// The reconciler could not take the open step of a payment; it tries again.
    pub struct PaymentStaysOpen<'a>: WARN "payment_stays_open" { payment_id: &'a dyn Display, error: &'a str }
}

/// Counts the status that the order entered with its payment, if it changed.
fn enter(orders: &IntCounterVec<1>, status: Option<&str>) {
    if let Some(status) = status {
        orders.with([status]).inc();
    }
}
